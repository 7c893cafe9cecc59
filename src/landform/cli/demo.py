"""`landform demo`: a platform from nothing, and a configuration through it with the real CLI."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.bootstrap import configure_logs
from landform.cli import demo_cli, terraform_rc, tokens
from landform.cli.addresses import bind
from landform.cli.arguments import read_settings
from landform.cli.demo_api import demo_api
from landform.cli.halt import Halt
from landform.cli.platform import Ready, running
from landform.identity.first_admin import FIRST_ADMIN
from landform.kit.errors import ConflictError, LandformError
from landform.machine import make_toolchain
from landform.runs.example import EXAMPLE
from landform.settings import Settings
from landform.toolchain.cli_config import blocks
from landform.toolchain.engine import Engine, choose_engine

ORGANIZATION: Final = "demo"
WORKSPACE: Final = "hello"
_LOG: Final = "landform.log"
_LOG_TAIL: Final = 40  # lines


@dataclass(frozen=True)
class _Result:
    ready: Ready
    run_url: str
    cli: demo_cli.Cli


async def demo(home: Path | None, port: int | None, *, leave: bool) -> int:
    """Run the demo; return the exit status: 0 when every part of it worked.

    Args:
        home: kept afterwards; None for a temporary one.
        port: None for 8080, or a free one when that is taken.
        leave: stop after the apply, instead of at Ctrl-C.

    Raises:
        LandformError: a part of it failed; everything is stopped by then.
    """
    halt = Halt()
    with halt.on_signals(), _home(home) as place:
        settings = read_settings(
            home=place, host="127.0.0.1", port=_free_port(port), log_level="WARNING"
        )
        worked = asyncio.Event()
        await halt.guard(_run(settings, halt, worked, is_kept=home is not None, leave=leave))
        return 0 if worked.is_set() else demo_cli.INTERRUPTED


async def _run(
    settings: Settings, halt: Halt, worked: asyncio.Event, *, is_kept: bool, leave: bool
) -> None:
    redactor = configure_logs(settings, process="demo")
    engine = await choose_engine(make_toolchain(settings))
    _say(f"Engine:    {engine.tool} {engine.version} ({engine.path})")
    _say(f"Home:      {settings.home}{'' if is_kept else ' (removed at the end)'}")
    with (settings.home / _LOG).open("a") as log:

        def keep(program: str, line: str) -> None:
            log.write(f"{program}: {line}\n")
            log.flush()

        try:
            async with running(settings, redactor, halt, on_line=keep) as ready:
                _say(f"Platform:  {ready.url}")
                result = await _take_through(settings, ready, engine)
                worked.set()
                _say(_summary(result))
                if not leave:
                    _say(_invitation(result, settings.home / _LOG))
                    await asyncio.Event().wait()
        except LandformError:
            _show_tail(settings.home / _LOG)
            raise
        finally:
            _say("Stopping ...")


async def _take_through(settings: Settings, ready: Ready, engine: Engine) -> _Result:
    """Make what the configuration needs, and run the CLI on it."""
    token = await tokens.create(settings, FIRST_ADMIN, "landform demo", None)
    async with demo_api(ready.local_url, token) as api:
        await api.make_organization(ORGANIZATION)
        workspace_id = await api.make_workspace(
            ORGANIZATION, WORKSPACE, tool=engine.tool, version=engine.version
        )
        hostname = ready.url.partition("://")[2]
        config = settings.home / terraform_rc.FILE
        terraform_rc.write(config, blocks(hostname, ready.url, token))
        directory = settings.home / WORKSPACE
        shutil.copytree(
            EXAMPLE, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".terraform*")
        )
        cli = demo_cli.Cli(engine.path, directory, config, hostname)
        for arguments in (
            ["init"],
            ["plan"],
            ["apply", "-auto-approve"],
            ["output"],
        ):
            await cli.run(arguments)
        run_id = await api.newest_run(workspace_id)
    return _Result(ready, f"{ready.url}/app/{ORGANIZATION}/{WORKSPACE}/runs/{run_id}", cli)


def _summary(result: _Result) -> str:
    password = result.ready.password
    sign_in = f"{FIRST_ADMIN}, one-time password {password}" if password else FIRST_ADMIN
    return f"""
The run:   {result.run_url}
           (there is no TLS here: where the CLI says https:// it is http://)
Sign in:   {sign_in}"""


def _invitation(result: _Result, log: Path) -> str:
    return f"""\
Yourself:  cd {result.cli.directory}
           export {result.cli.shell_environment}
           {result.cli.program.name} plan
Logs:      {log}

The platform stays up until Ctrl-C."""


@contextlib.contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    """Yield where to keep things: `given`, made if need be, or a directory removed at the end."""
    if given is not None:
        given = given.expanduser().absolute()
        given.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="landform-demo-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _free_port(asked: int | None) -> int | None:
    """Return `asked`; if nothing was and the default is taken, 0 for any that is free."""
    if asked is not None:
        return asked
    settings = read_settings(host="127.0.0.1")
    try:
        bind(settings.host, settings.port).close()
    except ConflictError:
        return 0
    return settings.port


def _show_tail(log: Path) -> None:
    if lines := log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]:
        _say("\nThe last the platform said:", *lines)


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)
