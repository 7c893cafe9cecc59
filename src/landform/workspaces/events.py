"""What happens to workspaces and projects. The subject of each is the workspace or project."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class WorkspaceCreated(Event):
    """A workspace was made."""

    name: str
    project_id: str


@dataclass(frozen=True, kw_only=True)
class WorkspaceUpdated(Event):
    """Settings changed; `changed` names them."""

    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WorkspaceMoved(Event):
    """A workspace went to another project, and so to other teams."""

    from_project_id: str
    to_project_id: str


@dataclass(frozen=True, kw_only=True)
class WorkspaceDeleted(Event):
    """A workspace and everything of it was deleted."""

    name: str


@dataclass(frozen=True, kw_only=True)
class WorkspaceLocked(Event):
    """Somebody, or a run, took the lock."""

    holder_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class WorkspaceUnlocked(Event):
    """The lock was given back, or broken when `forced`."""

    holder_id: str
    forced: bool


@dataclass(frozen=True, kw_only=True)
class RepositoryConnected(Event):
    """A workspace is planned from a repository from now on, or in another way than before."""

    connection_id: str
    repository_id: str
    identifier: str
    branch: str


@dataclass(frozen=True, kw_only=True)
class RepositoryDisconnected(Event):
    """A workspace is no longer planned from the repository."""

    connection_id: str
    repository_id: str
    identifier: str


@dataclass(frozen=True, kw_only=True)
class TagsChanged(Event):
    """Tags were added, changed or removed; `tags` is what there is now."""

    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RemoteStateConsumersChanged(Event):
    """The runs of other workspaces may read the workspace's state, or no longer; ids of those."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProjectCreated(Event):
    """A project was made."""

    name: str


@dataclass(frozen=True, kw_only=True)
class ProjectUpdated(Event):
    """A project's name or description changed."""

    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProjectDeleted(Event):
    """An empty project was deleted."""

    name: str


@dataclass(frozen=True, kw_only=True)
class TagSetAside(Event):
    """A tag is there before anything is tagged with it."""

    name: str


@dataclass(frozen=True, kw_only=True)
class TagForgotten(Event):
    """A tag that nothing was tagged with is not there any more."""

    name: str
