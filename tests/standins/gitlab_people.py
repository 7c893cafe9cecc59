"""What people do on GitLab: push, tag, open and merge merge requests, comment."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.standins import gitlab_answers as answers
from tests.standins.gitlab_hooks import Hooks
from tests.standins.gitlab_world import MergeRequest, Project, User
from tests.standins.repositories import ZEROS, Author, RefUpdate

_MOST_REFS: Final = 3  # of one kind in a push; of more, no hook is told anything


class People:
    """Every deed changes the repository for real, and then tells the hooks."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def push(
        self,
        project: Project,
        by: User,
        files: Mapping[str, str | bytes | None],
        *,
        branch: str = "main",
        **options: Any,
    ) -> str:
        """Commit and push; return the commit."""
        ref = f"refs/heads/{branch}"
        before = project.git.resolve(ref)
        author = Author(by.name, f"{by.username}@example.com")
        after = project.git.commit(branch, files, author=author, **options)
        self.pushed(project, by, [RefUpdate(ref, before, after)])
        return after

    def tag(self, project: Project, by: User, name: str, target: str, *, message: str = "") -> str:
        made = project.git.tag(name, target, message=message)
        self.pushed(project, by, [RefUpdate(f"refs/tags/{name}", ZEROS, made)])
        return made

    def delete_ref(self, project: Project, by: User, ref: str) -> None:
        before = project.git.resolve(ref)
        project.git.delete_ref(ref)
        self.pushed(project, by, [RefUpdate(ref, before, ZEROS)])

    def pushed(self, project: Project, by: User, updates: Sequence[RefUpdate]) -> None:
        """Tell of refs that moved, each by itself; then bring merge requests up to date."""
        for prefix, kind in (("refs/heads/", "push"), ("refs/tags/", "tag_push")):
            moved = [one for one in updates if one.name.startswith(prefix)]
            if len(moved) > _MOST_REFS:
                continue
            for one in moved:
                said = answers.push_document(project, by, one.name, one.old, one.new)
                self._hooks.emit(project, kind, said)
        for found in list(project.merge_requests.values()):
            self._follow(found, by)

    def open(
        self,
        project: Project,
        by: User,
        branch: str,
        *,
        title: str = "Change",
        source: Project | None = None,
        draft: bool = False,
    ) -> MergeRequest:
        iid = len(project.merge_requests) + 1
        found = MergeRequest(iid, by, project, source or project, branch, "main", title)
        found.draft = draft
        project.merge_requests[iid] = found
        self._fetch(found)
        self.tell(found, by, "open")
        return found

    def retitle(self, found: MergeRequest, by: User, title: str) -> None:
        before, found.title = found.title, title
        self.tell(found, by, "update", changes={"title": {"previous": before, "current": title}})

    def set_draft(self, found: MergeRequest, by: User, *, draft: bool) -> None:
        found.draft = draft
        changes = {"draft": {"previous": not draft, "current": draft}}
        self.tell(found, by, "update", changes=changes)

    def approve(self, found: MergeRequest, by: User) -> None:
        self.tell(found, by, "approved")

    def close(self, found: MergeRequest, by: User) -> None:
        found.state = "closed"
        self.tell(found, by, "close")

    def reopen(self, found: MergeRequest, by: User) -> None:
        found.state = "opened"
        self.tell(found, by, "reopen")

    def merge(self, found: MergeRequest, by: User) -> str:
        """Merge; a push on the target arrives as well."""
        ref = f"refs/heads/{found.target}"
        before = found.project.git.resolve(ref)
        merged = found.project.git.merge(before, found.sha)
        assert merged is not None, "the merge request has conflicts"
        found.project.git.set_ref(ref, merged)
        found.state, found.merge_commit = "merged", merged
        self.tell(found, by, "merge")
        self.pushed(found.project, by, [RefUpdate(ref, before, merged)])
        return merged

    def comment(self, found: MergeRequest, by: User, text: str) -> dict[str, Any]:
        number = found.project.id * 10_000 + len(found.notes) + 1
        made = {"id": number, "body": text, "author": by.json(), "system": False}
        found.notes[number] = made
        self.tell_note(found, by, made, "create")
        return made

    def edit_note(self, found: MergeRequest, note_id: int, text: str) -> None:
        """Change a note, as its author or a maintainer: it is told as its author's either way."""
        made = found.notes[note_id]
        made["body"] = text
        author = User(**{name: made["author"][name] for name in ("id", "username", "name")})
        self.tell_note(found, author, made, "update")

    def tell_note(
        self, found: MergeRequest, by: User, made: Mapping[str, Any], action: str
    ) -> None:
        what = {
            "id": made["id"],
            "note": made["body"],
            "noteable_type": "MergeRequest",
            "author_id": made["author"]["id"],
            "project_id": found.project.id,
            "system": made["system"],
            "action": action,
            "url": f"{found.url}#note_{made['id']}",
        }
        said = {
            "event_type": "note",
            "user": by.hook_json(),
            "project_id": found.project.id,
            "project": found.project.hook_json(),
            "object_attributes": what,
            "merge_request": found.hook_json(),
        }
        self._hooks.emit(found.project, "note", said)

    def tell(
        self,
        found: MergeRequest,
        by: User,
        action: str,
        *,
        oldrev: str = "",
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        what = {**found.hook_json(), "action": action}
        if oldrev:
            what["oldrev"] = oldrev
        said = {
            "event_type": "merge_request",
            "user": by.hook_json(),
            "project": found.project.hook_json(),
            "object_attributes": what,
            "labels": [],
            "changes": changes or {},
        }
        self._hooks.emit(found.project, "merge_request", said)

    def follow(self, source: Project, by: User) -> None:
        """Bring merge requests of a fork up to date after a push to it."""
        for found in list(source.merge_requests.values()):
            self._follow(found, by)

    def _follow(self, found: MergeRequest, by: User) -> None:
        before = found.sha
        tip = found.source.git.resolve(f"refs/heads/{found.branch}")
        if found.state == "opened" and tip not in (ZEROS, before):
            self._fetch(found)
            self.tell(found, by, "update", oldrev=before)

    def _fetch(self, found: MergeRequest) -> None:
        """Keep the source's commit in the target's repository, whatever becomes of its branch."""
        ref = f"+refs/heads/{found.branch}:refs/merge-requests/{found.iid}/head"
        source = str(found.source.git.directory)
        found.project.git.git("fetch", "--quiet", source, ref)
        found.sha = found.project.git.resolve(f"refs/merge-requests/{found.iid}/head")
        if found.project.has_merge_request_pipelines:
            answers.start_merge_request_pipeline(found)
