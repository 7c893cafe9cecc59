"""What a delivery can tell: one event for each thing that moved. Imports nothing of ours.

Every provider's payload is read into these; nothing above `landform.vcs` sees a payload.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who did it, as the provider knows them.

    Attributes:
        id: the provider's own; what a mapping to users must go by.
        login: what they are called there; may change hands.
    """

    id: str = ""
    login: str = ""
    name: str = ""
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What all changes share.

    Attributes:
        repository_id: the provider's id of the repository; never a URL or a name.
        repository_name: for people.
        by: who did it.
    """

    repository_id: str
    repository_name: str = ""
    by: Person = field(default_factory=Person)


@dataclass(frozen=True, kw_only=True)
class Push(Change):
    """A branch was made, moved or deleted. One push may move several; each is a change.

    Attributes:
        branch: without `refs/heads/`.
        before: the commit it was at; empty when the branch is new.
        after: the commit it is at now; empty when the branch is gone.
        forced: known to have dropped commits; False also when the provider does not say.
        message: of the newest commit, when the payload has it.
    """

    branch: str
    before: str
    after: str
    forced: bool = False
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TagPush(Change):
    """A tag was made, moved or deleted.

    Attributes:
        tag: without `refs/tags/`.
        object_id: what it points to; of an annotated tag that is the tag object, which
            `VcsProvider.tag` peels. Empty when the tag is gone.
        commit: what it points to when the payload says so; else empty.
    """

    tag: str
    object_id: str
    commit: str = ""


class Action(StrEnum):
    """What happened to a pull request."""

    OPENED = "opened"
    UPDATED = "updated"  # maybe: only a source commit other than the last one seen is an update
    REOPENED = "reopened"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class PullRequest(Change):
    """A pull (or merge) request as it now is.

    Attributes:
        number: what people call it, unique in its repository.
        action: a provider that sends one event for votes, titles and new commits says UPDATED
            for all of them; compare `source_commit` with the last one seen.
        source_commit: may be abbreviated (Bitbucket); `VcsProvider.read_commit` gives the whole.
        target_commit: the commit the target branch is at; empty when the payload has none.
        merge_commit: what merging made, once it is merged.
        merge_base: the commit where it left its target, when the provider says.
        is_fork: the source is another repository: its code is a stranger's.
        by: who caused this event; `author` is who opened it.
    """

    number: int
    action: Action
    title: str
    url: str
    source_branch: str
    source_commit: str
    target_branch: str
    target_commit: str = ""
    merge_commit: str = ""
    merge_base: str = ""
    is_draft: bool = False
    is_fork: bool = False
    author: Person = field(default_factory=Person)


@dataclass(frozen=True, kw_only=True)
class Comment(Change):
    """Somebody wrote under a pull request; `by` is who wrote it, and who is to be authorised.

    Attributes:
        comment_id: the provider's, to tell a repeated delivery.
        thread_id: where an answer goes, for a provider with threads.
        pull_request: as the payload has it; None where it does not.
    """

    number: int
    comment_id: str
    text: str
    thread_id: str = ""
    pull_request: PullRequest | None = None


AnyChange: TypeAlias = Push | TagPush | PullRequest | Comment


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one delivery says.

    Attributes:
        event: the provider's name for what happened, such as `git.push`.
        changes: empty when there is nothing to act on.
        nothing_because: why there are no changes, in a sentence; empty when there are some.
        refetch: the payload lacks what it should hold (Azure DevOps sends `resource: null` to
            some versions), so ask the provider.
    """

    event: str
    changes: tuple[AnyChange, ...] = ()
    nothing_because: str = ""
    refetch: bool = False
