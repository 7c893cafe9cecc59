"""`landform agent`: plans and applies where only the platform's address is known."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from landform.agent import Agent, Line
from landform.bootstrap import configure_logs
from landform.identity.credentials import new_secret
from landform.kit.errors import InvalidError
from landform.kit.loops import NEW_LOOP
from landform.machine import make_toolchain, open_host, until_told
from landform.settings import Settings

_SECRET: Final = "agent-secret"  # noqa: S105 - the name of a file


def work(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM; what runs then gets `cancel_grace_s` to end by itself.

    Raises:
        InvalidError: no platform or no token is set, or networks of runs that cannot be.
        UnauthenticatedError: the platform does not take the token.
        UnavailableError: there is no sandbox, or no network of a run's own, where one is required.
    """
    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
        runner.run(_work(settings))


async def _work(settings: Settings) -> None:
    configure_logs(settings, process="agent")
    os.nice(settings.worker_nice)
    url = _platform_url(settings)
    toolchain = make_toolchain(settings)
    rooms = settings.home / "agent"
    async with open_host(settings, toolchain, rooms=rooms, platform_url=url) as host:
        line = Line(
            url, token=lambda: _token(settings), secret=await asyncio.to_thread(_secret, host.root)
        )
        agent = Agent(
            line,
            toolchain,
            host,
            name=settings.agent_name or socket.gethostname(),
            slots=settings.worker_slots,
            farewell_s=settings.cancel_grace_s,
        )
        try:
            await until_told(agent.run())
        finally:
            await line.close()


def _platform_url(settings: Settings) -> str:
    url = settings.url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise InvalidError(
            "Set LANDFORM_URL to the address of the platform, such as https://landform.example.com."
        )
    return url


def _token(settings: Settings) -> str:
    """Return the pool's token; from a file, as it is now.

    Raises:
        InvalidError: there is none, or its file cannot be read.
    """
    token = settings.agent_token.get_secret_value()
    file = settings.agent_token_file
    if file is not None:
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as failure:
            raise InvalidError(f"LANDFORM_AGENT_TOKEN_FILE: {file}: {failure}.") from None
    if not token or not token.isascii() or not token.isprintable():
        raise InvalidError(
            "Set LANDFORM_AGENT_TOKEN to a token of an agent pool, or LANDFORM_AGENT_TOKEN_FILE to"
            " the file that holds one."
        )
    return token


def _secret(room: Path) -> str:
    """Return the secret of the agent whose room this is; what it left there is its own to tell."""
    path = room / _SECRET
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text():
            return kept
    secret, new = new_secret(), room / f"{_SECRET}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    return secret
