"""What people do on Azure DevOps: push, tag, open and vote on pull requests, comment."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.standins.azure_git import commit
from tests.standins.azure_hooks import Sender
from tests.standins.azure_reviews import comment_document
from tests.standins.azure_world import Identity, PullRequest, Repository, stamp
from tests.standins.repositories import ZEROS, Author, RefUpdate

_MOST_COMMITS = 25


class People:
    """Every deed changes the repository for real, and then tells the subscribers."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._pull_numbers = 0

    def push(
        self,
        repository: Repository,
        by: Identity,
        files: Mapping[str, str | bytes | None],
        *,
        branch: str = "main",
        message: str = "Change",
        **options: Any,
    ) -> str:
        """Commit and push; return the commit."""
        ref = f"refs/heads/{branch}"
        before = repository.git.resolve(ref)
        author = Author(by.name, by.mail)
        after = repository.git.commit(branch, files, message=message, author=author, **options)
        self.pushed(repository, by, [RefUpdate(ref, before, after)])
        return after

    def tag(
        self, repository: Repository, by: Identity, name: str, target: str, *, message: str = ""
    ) -> str:
        ref = f"refs/tags/{name}"
        made = repository.git.tag(name, target, message=message)
        self.pushed(repository, by, [RefUpdate(ref, ZEROS, made)])
        return made

    def delete_ref(self, repository: Repository, by: Identity, ref: str) -> None:
        before = repository.git.resolve(ref)
        repository.git.delete_ref(ref)
        self.pushed(repository, by, [RefUpdate(ref, before, ZEROS)])

    def pushed(
        self,
        repository: Repository,
        by: Identity,
        updates: Sequence[RefUpdate],
        *,
        with_commits: bool = True,
        with_resource: bool = True,
    ) -> None:
        """Tell of refs that moved, as one push; then bring open pull requests up to date."""
        moved = [one for one in updates if one.new != one.old]
        if not moved:
            return
        push = self._push_document(repository, by, moved, with_commits=with_commits)
        repository.pushes.append(push)
        inputs = {
            "projectId": repository.project.id,
            "repository": repository.id,
            "branch": moved[0].name.removeprefix("refs/heads/"),
            "pushedBy": by.id,
        }
        text = f"{by.name} pushed updates to {repository.name}"
        resource = push if with_resource else None
        organization = repository.project.organization
        self._sender.emit(organization, "git.push", inputs, resource, text)
        for pull in self._pulls_from(repository, {one.name for one in moved}):
            self._iterate(pull, by)

    def open_pull(
        self,
        repository: Repository,
        by: Identity,
        source: str,
        *,
        target: str = "main",
        title: str = "A change",
        fork: Repository | None = None,
        draft: bool = False,
    ) -> PullRequest:
        self._pull_numbers += 1
        pull = PullRequest(
            self._pull_numbers,
            repository,
            by,
            title,
            f"refs/heads/{source}",
            f"refs/heads/{target}",
            fork=fork,
            is_draft=draft,
            created_at=repository.project.organization.clock.now(),
        )
        repository.pulls[pull.id] = pull
        self._add_iteration(pull)
        self._emit(pull, by, "git.pullrequest.created", f"{by.name} created pull request {pull.id}")
        self._compute_merge(pull, by)
        return pull

    def vote(self, pull: PullRequest, by: Identity, vote: int = 10) -> None:
        pull.votes[by.id] = vote
        self._update(pull, by, f"{by.name} approved pull request {pull.id}", "ReviewerVote")

    def retitle(self, pull: PullRequest, by: Identity, title: str) -> None:
        pull.title = title
        self._update(pull, by, f"{by.name} updated pull request {pull.id}", "")

    def set_draft(self, pull: PullRequest, by: Identity, draft: bool) -> None:
        pull.is_draft = draft
        self._update(pull, by, f"{by.name} changed the draft state of {pull.id}", "")

    def abandon(self, pull: PullRequest, by: Identity) -> None:
        pull.status = "abandoned"
        self._update(pull, by, f"{by.name} abandoned pull request {pull.id}", "StatusUpdate")

    def reactivate(self, pull: PullRequest, by: Identity) -> None:
        pull.status = "active"
        self._update(pull, by, f"{by.name} reactivated pull request {pull.id}", "StatusUpdate")

    def complete(self, pull: PullRequest, by: Identity) -> str:
        """Merge; a push on the target arrives as well."""
        repository = pull.repository
        before = repository.git.resolve(pull.target)
        merged = repository.git.merge(before, pull.source_sha)
        assert merged is not None, "the pull request has conflicts"
        repository.git.set_ref(pull.target, merged)
        pull.status, pull.merge_status, pull.merge_commit = "completed", "succeeded", merged
        self._update(pull, by, f"{by.name} completed pull request {pull.id}", "StatusUpdate")
        self.pushed(repository, by, [RefUpdate(pull.target, before, merged)])
        return merged

    def comment(self, pull: PullRequest, by: Identity, text: str) -> dict[str, Any]:
        """Begin a thread with one comment."""
        thread: dict[str, Any] = {"id": len(pull.threads) + 1, "comments": [], "status": "active"}
        made = comment_document(pull, thread, {"content": text}, by)
        thread["comments"].append(made)
        pull.threads.append(thread)
        self.emit_comment(pull, by, made, "commented on")
        return made

    def edit_comment(
        self, pull: PullRequest, by: Identity, comment: dict[str, Any], text: str
    ) -> None:
        comment["content"] = text
        self.emit_comment(pull, by, comment, "edited a comment on")

    def delete_comment(self, pull: PullRequest, by: Identity, comment: dict[str, Any]) -> None:
        comment["isDeleted"] = True
        comment.pop("content")
        self.emit_comment(pull, by, comment, "deleted a comment on")

    def emit_comment(
        self, pull: PullRequest, by: Identity, comment: Mapping[str, Any], deed: str
    ) -> None:
        """Tell of a comment: by itself to version 1.0, with its pull request to 2.0."""
        event = "ms.vss-code.git-pullrequest-comment-event"
        both = {"comment": comment, "pullRequest": pull.json()}
        organization = pull.repository.project.organization
        text = f"{by.name} {deed} pull request {pull.id}"
        versions = {
            one.document["resourceVersion"]
            for one in organization.subscriptions.values()
            if one.document["eventType"] == event
        }
        resource = comment if versions == {"1.0"} else both
        self._sender.emit(organization, event, self._inputs(pull), resource, text)

    def _iterate(self, pull: PullRequest, by: Identity) -> None:
        self._add_iteration(pull)
        text = f"{by.name} updated the source branch of pull request {pull.id}"
        self._update(pull, by, text, "Push")
        self._compute_merge(pull, by)

    def _add_iteration(self, pull: PullRequest) -> None:
        source = (pull.fork or pull.repository).git.resolve(pull.source)
        if pull.fork is not None:
            pull.repository.git.git("fetch", "--quiet", str(pull.fork.git.directory), source)
        target = pull.repository.git.resolve(pull.target)
        pull.iterations.append(
            {
                "id": len(pull.iterations) + 1,
                "author": pull.author.json(),
                "createdDate": stamp(pull.repository.project.organization.clock.now()),
                "sourceRefCommit": {"commitId": source},
                "targetRefCommit": {"commitId": target},
                "commonRefCommit": {"commitId": pull.repository.git.merge_base(target, source)},
            }
        )

    def _compute_merge(self, pull: PullRequest, by: Identity) -> None:
        """Compute the merge afterwards, as the service does, and tell of the attempt."""
        merged = pull.repository.git.merge(pull.target_sha, pull.source_sha)
        pull.merge_status = "succeeded" if merged else "conflicts"
        pull.merge_commit = merged or ""
        if merged:
            pull.repository.git.set_ref(f"refs/pull/{pull.id}/merge", merged)
        self._emit(pull, by, "git.pullrequest.merged", f"Merge attempted for {pull.id}")

    def _update(self, pull: PullRequest, by: Identity, text: str, kind: str) -> None:
        notification = f"{kind}Notification" if kind else ""
        self._emit(pull, by, "git.pullrequest.updated", text, notificationType=notification)

    def _emit(self, pull: PullRequest, by: Identity, event: str, text: str, **inputs: str) -> None:
        organization = pull.repository.project.organization
        self._sender.emit(organization, event, self._inputs(pull) | inputs, pull.json(), text)

    @staticmethod
    def _inputs(pull: PullRequest) -> dict[str, str]:
        return {
            "projectId": pull.repository.project.id,
            "repository": pull.repository.id,
            "branch": pull.target.removeprefix("refs/heads/"),
            "pullrequestCreatedBy": pull.author.id,
        }

    @staticmethod
    def _pulls_from(repository: Repository, refs: set[str]) -> list[PullRequest]:
        return [
            pull
            for other in repository.project.organization.repositories
            for pull in other.pulls.values()
            if pull.status == "active"
            and pull.source in refs
            and (pull.fork or pull.repository) is repository
            and repository.git.resolve(pull.source) not in (ZEROS, pull.source_sha)
        ]

    def _push_document(
        self,
        repository: Repository,
        by: Identity,
        moved: Sequence[RefUpdate],
        *,
        with_commits: bool,
    ) -> dict[str, Any]:
        number = len(repository.pushes) + 1
        document: dict[str, Any] = {
            "refUpdates": [
                {"name": one.name, "oldObjectId": one.old, "newObjectId": one.new} for one in moved
            ],
            "repository": repository.json() | {"remoteUrl": repository.web_url},
            "pushedBy": by.json(),
            "pushId": number,
            "date": stamp(repository.project.organization.clock.now()),
            "url": f"{repository.api}/pushes/{number}",
        }
        news = [one for one in moved if one.new != ZEROS and one.name.startswith("refs/heads/")]
        if with_commits and news:
            span = repository.git.log(news[0].old, news[0].new)[:_MOST_COMMITS]
            document["commits"] = [commit(repository, sha) for sha in span]
        return document
