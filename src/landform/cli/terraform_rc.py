"""`landform cli-config`: a configuration file of the terraform and tofu CLIs."""

import os
import re
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from landform.cli import tokens
from landform.cli.addresses import own_url
from landform.cli.home import find_running
from landform.kit.errors import InvalidError, UnavailableError
from landform.settings import Settings
from landform.toolchain.cli_config import blocks

FILE: Final = "terraform.rc"
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:\d{1,5})?")


async def create(
    settings: Settings, hostname: str | None, username: str | None, output: Path | None
) -> str:
    """Write the file; return how to use it.

    Args:
        hostname: what configurations call the platform; None: what its address says.
        username: whose token is made for it; None for a file without one.

    Raises:
        InvalidError: `hostname` is none.
        UnavailableError: the file cannot be written, or the database does not answer.
        NotFoundError: there is no such user, or no platform in this home.
    """
    running = find_running(settings.home)
    url = running.url if running else own_url(settings)
    name = hostname or urlsplit(url).netloc
    if not _HOSTNAME.fullmatch(name):
        raise InvalidError(f"{name!r} is no hostname; write one such as 127.0.0.1:8080.")
    path = (output or settings.home / FILE).absolute()
    token = ""
    if username is not None:
        token = await tokens.create(settings, username, f"landform cli-config for {name}", None)
    write(path, blocks(name, url, token))
    return _explain(path, name, has_token=username is not None)


def write(path: Path, text: str) -> None:
    """Put `text` into a file that only its owner can read; what was there is replaced whole.

    Raises:
        UnavailableError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as failure:
        raise UnavailableError(f"{path} cannot be written: {failure.strerror}.") from failure


def _explain(path: Path, hostname: str, *, has_token: bool) -> str:
    shell = f"""\
Use it in this shell:
    export TF_CLI_CONFIG_FILE={shlex.quote(str(path))}
or put its blocks into ~/.terraformrc (~/.tofurc), for every shell. While TF_CLI_CONFIG_FILE is
set, the CLI reads neither that file nor what `terraform login` stored."""
    login = f"""\
It has no token in it: put its block into ~/.terraformrc (~/.tofurc), then
    terraform login {hostname}"""
    written = f"Wrote {path}{', with a token in it: only you can read it' if has_token else ''}."
    return f"""\
{written}

{shell if has_token else login}

In a configuration:
    terraform {{
      cloud {{
        hostname     = "{hostname}"
        organization = "…"
        workspaces {{ name = "…" }}
      }}
    }}"""
