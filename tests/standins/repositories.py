"""Real bare repositories: made by `git fast-import`, served by `git http-backend`."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.standins.serving import Answer, Request

ZEROS: Final = "0" * 40
_ENVIRONMENT: Final = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "LC_ALL": "C.UTF-8",
}
_SETTINGS: Final = """
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[gc]
	auto = 0
"""


@dataclass(frozen=True)
class RefUpdate:
    """A ref that moved; zeros stand for what was not, or is no more."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Author:
    name: str = "Ann"
    email: str = "ann@example.com"


@dataclass(frozen=True)
class Change:
    """One path that differs; `kind` is git's letter, `old_path` another one after a rename."""

    kind: str
    path: str
    old_path: str
    object_id: str


ANN: Final = Author()


class GitRepository:
    """A bare repository in a directory."""

    def __init__(self, directory: Path, *, default_branch: str = "main") -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        branch = f"--initial-branch={default_branch}"
        self.git("init", "--quiet", "--bare", "--template=", branch, ".")
        with (directory / "config").open("a") as file:
            file.write(_SETTINGS)

    def git(self, *arguments: str, data: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.directory,
            env=_ENVIRONMENT,
            input=data,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | bytes | None],
        *,
        message: str = "Change",
        author: Author = ANN,
        onto: str | None = None,
        executable: Sequence[str] = (),
    ) -> str:
        """Commit to the branch and return the commit; a file of None is deleted.

        A new branch begins at the default one.

        Args:
            onto: the commit or ref it follows instead of the branch's tip: a force push. Empty
                for a commit without a parent.
        """
        ref = f"refs/heads/{branch}"
        before = self.resolve(ref)
        before = self.resolve("HEAD") if before == ZEROS else before
        parent = before if onto is None else (self.resolve(onto) if onto else ZEROS)
        stream = b"".join(_import_stream(ref, files, message, author, parent, executable))
        self.git("fast-import", "--quiet", "--force", data=stream)
        return self.resolve(ref)

    def tag(self, name: str, target: str, *, message: str = "") -> str:
        """Tag the target, annotated if there is a message; return what the ref points to."""
        identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        options = ("-a", "-m", message) if message else ()
        self.git(*identity, "tag", *options, name, target)
        return self.resolve(f"refs/tags/{name}")

    def set_ref(self, ref: str, target: str) -> None:
        self.git("update-ref", ref, target)

    def delete_ref(self, ref: str) -> None:
        self.git("update-ref", "-d", ref)

    def resolve(self, name: str) -> str:
        """Return what the name points to; zeros for nothing."""
        done = subprocess.run(
            ["git", "rev-parse", "--quiet", "--verify", "--end-of-options", name],
            cwd=self.directory,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ZEROS

    def has_commit(self, sha: str) -> bool:
        return self.resolve(f"{sha}^{{commit}}") != ZEROS

    def refs(self) -> dict[str, tuple[str, str]]:
        """Return, by name, what each ref points to and what an annotated tag is peeled to."""
        text = self.git("for-each-ref", "--format=%(refname)|%(objectname)|%(*objectname)")
        rows = (line.rsplit("|", 2) for line in text.splitlines())
        return {row[0]: (row[1], row[2]) for row in rows}

    def merge_base(self, one: str, other: str) -> str:
        return self.git("merge-base", one, other)

    def log(self, old: str, new: str) -> list[str]:
        """Return the commits that `new` has and `old` has not, newest first."""
        span = [new] if old == ZEROS else [new, f"^{old}"]
        return self.git("rev-list", "--max-count=200", *span).splitlines()

    def commit_fields(self, sha: str) -> dict[str, str]:
        fields = ("%H", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%P", "%T", "%B")
        text = self.git("show", "--no-patch", "--format=" + "%x00".join(fields), sha)
        names = ("sha", "name", "email", "date", "by", "by_email", "by_date", "parents", "tree")
        return dict(zip((*names, "message"), text.split("\0"), strict=True))

    def changes(self, base: str, target: str) -> list[Change]:
        """Return what differs, renames found; against nothing when `base` is empty."""
        empty = self.git("hash-object", "-t", "tree", "--stdin")
        text = self.git("diff-tree", "-r", "-z", "-M", base or empty, target)
        return list(_changes(text.split("\0")))

    def merge(self, target: str, source: str) -> str | None:
        """Return a new merge of the two, or None when they conflict."""
        done = subprocess.run(
            ["git", "merge-tree", "--write-tree", target, source],
            cwd=self.directory,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            return None
        identity = ("-c", "user.name=Azure", "-c", "user.email=azure@example.com")
        tree = done.stdout.split()[0]
        return self.git(*identity, "commit-tree", tree, "-p", target, "-p", source, "-m", "Merge")

    def serve(self, request: Request, rest: str, user: str) -> Answer:
        """Answer a request of the smart protocol; `rest` is the path below the repository."""
        return serve(self.directory, request, rest, user)


def serve(directory: Path, request: Request, rest: str, user: str) -> Answer:
    """Answer a request of the smart protocol for the repository in a directory."""
    env = _ENVIRONMENT | {
        "GIT_PROJECT_ROOT": str(directory.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{directory.name}/{rest}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.target.partition("?")[2],
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], env=env, input=request.body, capture_output=True, check=False
    )
    return _cgi_answer(done.stdout)


def _import_stream(
    ref: str,
    files: Mapping[str, str | bytes | None],
    message: str,
    author: Author,
    parent: str,
    executable: Sequence[str],
) -> Iterator[bytes]:
    if parent == ZEROS:
        yield f"reset {ref}\n".encode()
    text = message.encode()
    yield f"commit {ref}\n".encode()
    yield f"committer {author.name} <{author.email}> 1793527200 +0000\n".encode()
    yield f"data {len(text)}\n".encode() + text + b"\n"
    if parent != ZEROS:
        yield f"from {parent}\n".encode()
    for path, content in files.items():
        if content is None:
            yield f'D "{path}"\n'.encode()
            continue
        raw = content.encode() if isinstance(content, str) else content
        mode = "100755" if path in executable else "100644"
        yield f'M {mode} inline "{path}"\n'.encode()
        yield f"data {len(raw)}\n".encode() + raw + b"\n"


def _changes(fields: Sequence[str]) -> Iterator[Change]:
    rest = iter(fields)
    for head in rest:
        if not head:
            return
        _, _, _, object_id, kind = head.split(" ")
        old = next(rest)
        new = next(rest) if kind[0] in "RC" else old
        yield Change(kind[0], new, old, object_id)


def _cgi_answer(output: bytes) -> Answer:
    head, _, body = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0])
    return Answer(status, body, headers)
