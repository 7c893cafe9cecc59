"""The parser of `landform`. What a command does is imported when it is called, and not before.

`landform --help` and the completion of a shell answer in 0.2 s; SQLAlchemy and FastAPI take a
second to import. So this module alone imports inside functions.
"""
# ruff: noqa: PLC0415 - the reason is above

import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from landform import __version__
from landform.cli.sign_in_commands import sign_in
from landform.cli.vcs_commands import vcs
from landform.kit.early import wait_to_begin
from landform.kit.errors import LandformError
from landform.kit.loading import loading
from landform.kit.supervise import die_with_parent

Result = TypeVar("Result")

app = typer.Typer(
    name="landform",
    help="Teams run Terraform and OpenTofu together: remote plans and applies, state, variables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show local variables, secrets among them
)
database = typer.Typer(help="The schema of the database.", no_args_is_help=True)
token = typer.Typer(help="API tokens.", no_args_is_help=True)
keys = typer.Typer(help="Encryption keys.", no_args_is_help=True)
audit = typer.Typer(help="The audit trail.", no_args_is_help=True)
runs = typer.Typer(help="Runs that need a hand.", no_args_is_help=True)
tool = typer.Typer(help="The tools that runs use.", no_args_is_help=True)
app.add_typer(database, name="db")
app.add_typer(audit, name="audit")
app.add_typer(token, name="token")
app.add_typer(vcs, name="vcs")
app.add_typer(sign_in, name="sign-in")
app.add_typer(keys, name="keys")
app.add_typer(runs, name="runs")
app.add_typer(tool, name="tool")

# The seconds that a process has to end in order once its supervisor is gone; then it is killed.
_SERVER_ORPHAN_S = 5.0
_WORKER_ORPHAN_S = 10.0
_INTERRUPTED = 130  # 128 + SIGINT, as shells say it

Home = Annotated[
    Path | None,
    typer.Option(
        help="Where the platform keeps its data. Default: LANDFORM_HOME, else ~/.landform."
    ),
]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on. Default: LANDFORM_HOST, else 127.0.0.1."),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port to listen on; 0 picks a free one. Default: LANDFORM_PORT, else 8080.",
    ),
]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(help="How logs are written to standard error. Default: text."),
]
Slots = Annotated[
    int | None,
    typer.Option(min=1, max=256, help="Plans and applies that run at a time. Default: 4."),
]


def main() -> None:
    """Run the command line; what a user did wrong ends it with status 1 and one message."""
    try:
        app()
    except LandformError as failure:
        print(f"landform: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


@app.command()
def up(
    home: Home = None,
    port: Port = None,
    host: Host = None,
    log_format: LogFormat = None,
    worker_slots: Slots = None,
) -> None:
    """Run the whole platform here: its own PostgreSQL, a server and a worker, until Ctrl-C."""
    die_with_parent()
    from landform.cli.arguments import read_settings
    from landform.cli.up import up as run

    _run(
        run(
            read_settings(
                home=home, port=port, host=host, log_format=log_format, worker_slots=worker_slots
            )
        )
    )


@app.command()
def server(
    home: Home = None, port: Port = None, host: Host = None, log_format: LogFormat = None
) -> None:
    """Run a server (API and pages) on LANDFORM_DATABASE_URL; any number may run at once."""
    die_with_parent(kill_after_s=_SERVER_ORPHAN_S)
    with loading():
        from landform.cli.arguments import read_settings
        from landform.cli.server import serve

    wait_to_begin()
    serve(read_settings(home=home, port=port, host=host, log_format=log_format))


@app.command()
def worker(home: Home = None, log_format: LogFormat = None, worker_slots: Slots = None) -> None:
    """Run a worker (plans and applies) on LANDFORM_DATABASE_URL; any number may run at once."""
    die_with_parent(kill_after_s=_WORKER_ORPHAN_S)
    with loading():
        from landform.cli.arguments import read_settings
        from landform.cli.worker import work

    work(read_settings(home=home, log_format=log_format, worker_slots=worker_slots))


@app.command()
def agent(home: Home = None, log_format: LogFormat = None, worker_slots: Slots = None) -> None:
    """Run an agent: plans and applies of an agent pool, over HTTP from LANDFORM_URL only."""
    die_with_parent(kill_after_s=_WORKER_ORPHAN_S)
    with loading():
        from landform.cli.agent import work
        from landform.cli.arguments import read_settings

    work(read_settings(home=home, log_format=log_format, worker_slots=worker_slots))


@database.command("migrate")
def migrate(home: Home = None) -> None:
    """Bring the database to this version's schema. Safe to run again, and at several places."""
    from landform.cli.arguments import read_settings
    from landform.cli.schema_commands import migrate as run

    _run(run(read_settings(home=home)))


@database.command("check")
def check(home: Home = None) -> None:
    """Say what differs between the database and this version's schema; 1 if anything does."""
    from landform.cli.arguments import read_settings
    from landform.cli.schema_commands import check as run

    sys.exit(0 if _run(run(read_settings(home=home))) else 1)


@token.command("create")
def create_token(
    user: Annotated[str, typer.Option(help="Whose token it is to be.")],
    home: Home = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "made on the command line",
    expires_in: Annotated[
        str | None, typer.Option(help="Such as 12h, 30d or 8w. Default: it does not expire.")
    ] = None,
) -> None:
    """Print a new API token, without signing in: for an operator on the platform's machine."""
    from landform.cli.arguments import parse_lifetime, read_settings
    from landform.cli.tokens import create

    lifetime = parse_lifetime(expires_in) if expires_in else None
    print(_run(create(read_settings(home=home), user, description, lifetime)))


@keys.command("list")
def list_keys(home: Home = None) -> None:
    """Say which keys there are, how much each encrypts, and which processes hold which."""
    from landform.cli.arguments import read_settings
    from landform.cli.keys import show

    _run(show(read_settings(home=home)))


@keys.command("rotate")
def rotate_keys(home: Home = None) -> None:
    """Encrypt everything with a new key, while the platform runs; goes on where it was cut off."""
    from landform.cli.arguments import read_settings
    from landform.cli.keys import rotate

    sys.exit(0 if _run(rotate(read_settings(home=home))) else 1)


@audit.command("verify")
def verify_audit(
    home: Home = None,
    noted: Annotated[
        str, typer.Option(help="POSITION:DIGEST that an earlier check printed, kept elsewhere.")
    ] = "",
) -> None:
    """Check that no event was altered, removed or added since it was sealed; 1 if one was."""
    from landform.cli.arguments import read_settings
    from landform.cli.audit import verify

    sys.exit(0 if _run(verify(read_settings(home=home), noted)) else 1)


@audit.command("export")
def export_audit(
    home: Home = None,
    organization: Annotated[str, typer.Option(help="Only of the one with this id.")] = "",
    since: Annotated[
        datetime | None, typer.Option(help="Only from this moment on, in UTC.")
    ] = None,
) -> None:
    """Print events as JSON lines, oldest first."""
    from landform.cli.arguments import read_settings
    from landform.cli.audit import export

    _run(export(read_settings(home=home), organization, since and since.replace(tzinfo=UTC)))


@runs.command("recover")
def recover_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Such as run-8fX3kP2mQ7rT5vW9.")],
    home: Home = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Ask the platform there, with the API token in LANDFORM_TOKEN. Default: ask the"
            " database of the home, or LANDFORM_DATABASE_URL."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Default: recover_RUN.tf in this directory.")
    ] = None,
) -> None:
    """Write an import block for each object that an apply made and may not have in its state."""
    from landform.cli.arguments import read_settings
    from landform.cli.recover import recover

    print(_run(recover(read_settings(home=home), run_id, url, output)))


@tool.command("versions")
def tool_versions(
    name: Annotated[Literal["terraform", "tofu"], typer.Argument(metavar="TOOL")] = "terraform",
    home: Home = None,
) -> None:
    """Print the versions that a workspace can ask for, newest first; uses no network."""
    from landform.cli.arguments import read_settings
    from landform.machine import make_toolchain
    from landform.toolchain.versions import Tool

    print("\n".join(make_toolchain(read_settings(home=home)).known_versions(Tool(name))))


@app.command("cli-config")
def cli_config(
    home: Home = None,
    hostname: Annotated[
        str | None,
        typer.Option(
            help="What configurations call the platform, such as 127.0.0.1:8080 or"
            " landform.internal. Default: the running platform's address."
        ),
    ] = None,
    user: Annotated[str, typer.Option(help="Whose token goes into the file.")] = "admin",
    with_token: Annotated[
        bool, typer.Option("--token/--no-token", help="Without one, use `terraform login`.")
    ] = True,
    output: Annotated[
        Path | None, typer.Option(help="Default: terraform.rc in the platform's home.")
    ] = None,
) -> None:
    """Write a configuration of the terraform or tofu CLI that reaches this platform."""
    from landform.cli.arguments import read_settings
    from landform.cli.terraform_rc import create

    print(_run(create(read_settings(home=home), hostname, user if with_token else None, output)))


@app.command()
def demo(
    home: Annotated[
        Path | None, typer.Option(help="Keep it here. Default: a temporary directory.")
    ] = None,
    port: Port = None,
    leave: Annotated[bool, typer.Option("--exit", help="Stop everything after the apply.")] = False,
) -> None:
    """Start a platform and take a configuration through it with the real CLI, until Ctrl-C."""
    die_with_parent()
    from landform.cli.demo import demo as run

    sys.exit(_run(run(home, port, leave=leave)))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def _run(command: Coroutine[Any, Any, Result]) -> Result:
    import asyncio

    return asyncio.run(command)
