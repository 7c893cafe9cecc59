"""A private repository on an Azure DevOps of the test's own, and what a connection would give."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landform.kit.egress import Allow
from landform.vcs.provider import CloneCredentials
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.azure_world import Repository

LOOPBACK = Allow.parse("127.0.0.1, localhost")


class Scene:
    """One organization, its owner, a repository with one commit."""

    def __init__(self, azure: AzureDevOps) -> None:
        self.azure = azure
        self.organization = azure.organization("Acme")
        self.ann = self.organization.identity("Ann")
        self.repository = self.organization.repository("Cloud Team", "infra")
        self.pat = azure.tokens.issue(self.ann, {"vso.code"})
        self.asked = 0

    def push(
        self, files: dict[str, str | bytes | None], repository: Repository | None = None
    ) -> str:
        return self.azure.people.push(repository or self.repository, self.ann, files)

    async def credentials(self) -> CloneCredentials:
        self.asked += 1
        return CloneCredentials(
            url=self.repository.web_url,
            scope=f"{self.azure.url}/Acme/",
            username="x",
            password=self.pat,
            rewrites={"git@ssh.dev.azure.com:v3/Acme/Cloud%20Team/": f"{self.project_url}/_git/"},
        )

    @property
    def project_url(self) -> str:
        return f"{self.azure.url}/Acme/Cloud%20Team"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with azure_devops(tmp_path / "azure") as azure:
        yield Scene(azure)


@pytest.fixture
def spied_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `git` on PATH that notes its arguments and its repository's config; return the notes."""
    notes, real = tmp_path / "notes", tmp_path / "bin"
    real.mkdir()
    script = f"""#!{sys.executable}
import os, pathlib, sys
with open({str(notes)!r}, "a") as file:
    file.write(repr(sys.argv) + "\\n")
os.environ["PATH"] = {str(Path("/usr/bin"))!r} + ":/bin"
status = os.spawnvp(os.P_WAIT, "git", ["git", *sys.argv[1:]])
with open({str(notes)!r}, "a") as file:
    for name in ("config", "FETCH_HEAD"):
        path = pathlib.Path(name)
        file.write(path.read_text() if path.exists() else "")
sys.exit(status)
"""
    (real / "git").write_text(script)
    (real / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{real}:/usr/bin:/bin")
    return notes
