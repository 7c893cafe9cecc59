"""A whole platform as `landform up` starts it, and organizations on it."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from landform.kit.early import SUPERVISOR_VARIABLE
from tests.cli import command
from tests.cli.command import PASSWORD, READY
from tests.e2e.api import Api, Workspace
from tests.e2e.terraform import Terraform, environment_for

_NUMBERS = count(1)


@dataclass(frozen=True)
class Platform:
    """A platform that runs.

    Attributes:
        config: what `landform cli-config` wrote.
        password: of the user admin, who must change it.
    """

    url: str
    home: Path
    token: str
    config: Path
    password: str
    api: Api

    @property
    def hostname(self) -> str:
        return urlsplit(self.url).netloc


@contextmanager
def platform_in(base: Path, **settings: str) -> Iterator[Platform]:
    """Run a platform below `base`; it ends with the context, or with this process at the latest."""
    home = base / "home"
    up = command.landform_command("up", "--home", home, "--port", 0)
    env = {SUPERVISOR_VARIABLE: str(os.getpid()), **settings}
    with command.started(up, base / "output", **env) as running:
        url = running.wait_for(READY)
        password = running.wait_for(PASSWORD)
        written = command.run("cli-config", "--home", home)
        assert written.returncode == 0, written.stderr
        token = command.run("token", "create", "--home", home, "--user", "admin")
        assert token.returncode == 0, token.stderr
        secret = token.stdout.strip()
        api = Api(url, secret)
        try:
            yield Platform(url, home, secret, home / "terraform.rc", password, api)
        finally:
            api.close()


@dataclass(frozen=True)
class Organization:
    """An organization of a test's own, and a place for working directories."""

    platform: Platform
    name: str
    root: Path

    def make_workspace(self, name: str = "app", **attributes: Any) -> Workspace:
        sent = {key.replace("_", "-"): value for key, value in attributes.items()}
        path = f"organizations/{self.name}/workspaces"
        made = self.platform.api.send("POST", path, "workspaces", {"name": name, **sent})
        return Workspace(self.platform.api, made)

    def workspace(self, name: str = "app") -> Workspace:
        found = self.platform.api.get(f"organizations/{self.name}/workspaces/{name}")
        return Workspace(self.platform.api, found)

    def workspace_names(self) -> list[str]:
        rows = self.platform.api.get(f"organizations/{self.name}/workspaces")
        return sorted(row["attributes"]["name"] for row in rows)

    def cloud(self, workspaces: str = 'name = "app"') -> str:
        """Return the `cloud` block of a configuration."""
        return f"""
            terraform {{
              cloud {{
                hostname     = "{self.platform.hostname}"
                organization = "{self.name}"
                workspaces {{
                  {workspaces}
                }}
              }}
            }}
        """

    def remote(self, workspaces: str) -> str:
        """Return the block of the `remote` back end."""
        return f"""
            terraform {{
              backend "remote" {{
                hostname     = "{self.platform.hostname}"
                organization = "{self.name}"
                workspaces {{
                  {workspaces}
                }}
              }}
            }}
        """

    def directory(self, *texts: str, **environment: str) -> Terraform:
        """Return a new working directory with the texts as its configuration."""
        base = self.root / f"{next(_NUMBERS)}"
        (base / "work").mkdir(parents=True)
        env = environment_for(
            base / "home", TF_CLI_CONFIG_FILE=str(self.platform.config), **environment
        )
        terraform = Terraform(base / "work", env)
        terraform.write("main.tf", "\n".join(texts))
        return terraform

    def initialized(self, *texts: str, workspaces: str = 'name = "app"') -> Terraform:
        """Return a working directory after `terraform init`."""
        terraform = self.directory(self.cloud(workspaces), *texts)
        terraform.ok("init", "-input=false")
        return terraform


def make_organization(platform: Platform, root: Path) -> Organization:
    name = f"e2e-{uuid.uuid4().hex[:12]}"
    sent: Mapping[str, str] = {"name": name, "email": "e2e@example.invalid"}
    platform.api.send("POST", "organizations", "organizations", sent)
    return Organization(platform, name, root)
