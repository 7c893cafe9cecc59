"""The parser of `landform vcs`. What a command does is imported when it is called."""
# ruff: noqa: PLC0415 - an HTTP client takes a while to import; cli/main.py says why that matters

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from landform.kit.errors import InvalidError

vcs = typer.Typer(
    help="Connections to places that keep repositories, such as Azure DevOps.",
    no_args_is_help=True,
)

Organization = Annotated[
    str,
    typer.Option("--organization", "-o", envvar="LANDFORM_ORGANIZATION", help="Whose it is."),
]
Address = Annotated[
    str | None,
    typer.Option(
        envvar="LANDFORM_ADDRESS",
        help="The server, such as https://landform.example. Default: the platform that runs here.",
    ),
]
Home = Annotated[Path | None, typer.Option(help="The home of the platform that runs here.")]
Which = Annotated[str, typer.Argument(metavar="CONNECTION", help="Its id or its name.")]
PemFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]


@vcs.command("create")
def create(  # noqa: PLR0913, PLR0917 - the settings of a connection
    organization: Organization,
    name: Annotated[str, typer.Option(help="What people call it.")],
    vcs_type: Annotated[
        str,
        typer.Option(
            "--type",
            help="AZURE_DEVOPS, AZURE_DEVOPS_SERVER, GITHUB, GITLAB, BITBUCKET, GITEA, GIT, …",
        ),
    ] = "AZURE_DEVOPS",
    sign_in: Annotated[
        str | None,
        typer.Option(
            help="How to sign in: oauth, entra-oauth, service-principal-secret,"
            " service-principal-certificate, service-principal-federated, managed-identity, token,"
            " … Default: the provider's own OAuth."
        ),
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="Of the application.")] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="Where the client secret or token is; - is standard input. Default:"
            " LANDFORM_VCS_SECRET, else asked for."
        ),
    ] = None,
    private_key_file: PemFile = None,
    known_hosts_file: PemFile = None,
    username: Annotated[str | None, typer.Option(help="Of a git server.")] = None,
    certificate_file: PemFile = None,
    account: Annotated[
        str | None, typer.Option(help="The organization or collection at the provider.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="The Microsoft Entra tenant.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Another web and token address.")] = None,
    api_url: Annotated[str | None, typer.Option(help="Another API address.")] = None,
    callback: Annotated[
        str | None, typer.Option(help="Stands for the id in the callback URL.")
    ] = None,
    redirect_url: Annotated[
        str | None, typer.Option(help="Where the browser goes once connected.")
    ] = None,
    description: Annotated[str | None, typer.Option()] = None,
    secret_expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="When the secret ends.")
    ] = None,
    address: Address = None,
    home: Home = None,
) -> None:
    """Make a connection; print what to register at the provider and what to do next."""
    from landform.cli.vcs import next_steps, read_secret

    given: dict[str, Any] = {
        "name": name,
        "description": description,
        "vcsType": vcs_type,
        "signIn": sign_in,
        "clientId": client_id,
        "account": account,
        "tenant": tenant,
        "endpoint": endpoint,
        "apiUrl": api_url,
        "callback": callback,
        "redirectUrl": redirect_url,
        "secretExpiresAt": f"{secret_expires:%Y-%m-%d}T00:00:00Z" if secret_expires else None,
        "privateKey": private_key_file.read_text() if private_key_file else None,
        "username": username,
        "knownHosts": known_hosts_file.read_text() if known_hosts_file else None,
        "certificate": certificate_file.read_text() if certificate_file else None,
    }
    if sign_in in (None, "oauth", "service-principal-secret", "token", "password") or secret_file:
        given["clientSecret"] = read_secret(secret_file)
    attributes = {key: value for key, value in given.items() if value is not None}
    print(next_steps(_api(organization, address, home).create(attributes)))


@vcs.command("list")
def list_(organization: Organization, address: Address = None, home: Home = None) -> None:
    """List the connections of an organization."""
    from landform.cli.vcs import table

    print(table(_api(organization, address, home).list()))


@vcs.command("show")
def show(
    organization: Organization, connection: Which, address: Address = None, home: Home = None
) -> None:
    """Show a connection; its secrets are never shown."""
    from landform.cli.vcs import describe

    print(describe(_api(organization, address, home).find(connection)))


@vcs.command("connect")
def connect(
    organization: Organization, connection: Which, address: Address = None, home: Home = None
) -> None:
    """Print where to sign in at the provider, or to register an app: a link that works once."""
    from landform.cli.vcs import ways

    api = _api(organization, address, home)
    found = api.find(connection)
    print(ways(found, api.connect(found["id"])))


@vcs.command("test")
def check(
    organization: Organization, connection: Which, address: Address = None, home: Home = None
) -> None:
    """Have the server ask the provider who it is there, and what it may do."""
    from landform.cli.vcs import describe

    api = _api(organization, address, home)
    print(describe(api.test(api.find(connection)["id"])))


@vcs.command("host-keys")
def host_keys(
    organization: Organization,
    connection: Which,
    fingerprint: Annotated[
        list[str] | None,
        typer.Option(help="Pin the key of this fingerprint without asking; may be repeated."),
    ] = None,
    address: Address = None,
    home: Home = None,
) -> None:
    """Ask a git server for its SSH keys, and pin them once you have compared them."""
    from landform.cli.vcs import chosen_keys
    from landform.cli.vcs import host_keys as shown

    api = _api(organization, address, home)
    found = api.find(connection)
    keys = api.host_keys(found["id"])
    if fingerprint:
        keys = chosen_keys(keys, fingerprint)
    print(shown(keys))
    if not fingerprint:
        print("Nothing proves these yet: compare them with what the server's administrator says.")
        typer.confirm("Pin them?", abort=True)
    lines = "\n".join(each["line"] for each in keys)
    api.change(found["id"], {"knownHosts": lines})
    print(f"Pinned. Check that it works: landform vcs test {found['id']}")


@vcs.command("rotate")
def rotate(
    organization: Organization, connection: Which, address: Address = None, home: Home = None
) -> None:
    """Give the connection's webhooks new secrets; old ones are taken for a day more."""
    api = _api(organization, address, home)
    found = api.find(connection)
    count = api.replace_hook_secrets(found["id"])
    print(f"New secrets of {count} webhooks are on their way to the provider.")


@vcs.command("delete")
def delete(
    organization: Organization, connection: Which, address: Address = None, home: Home = None
) -> None:
    """Remove a connection, with its hooks at the provider."""
    api = _api(organization, address, home)
    found = api.find(connection)
    api.delete(found["id"])
    print(f"Removed the VCS connection {found['id']} ({found['attributes']['name']}).")


def _api(organization: str, address: str | None, home: Path | None) -> Any:
    from landform.cli.addresses import own_url
    from landform.cli.arguments import read_settings
    from landform.cli.home import find_running
    from landform.cli.vcs import VcsApi

    token = os.environ.get("LANDFORM_TOKEN", "").strip()
    if not token:
        raise InvalidError(
            "Set LANDFORM_TOKEN to an API token; `landform token create --user NAME` makes one on"
            " the platform's machine."
        )
    if address is None:
        settings = read_settings(home=home)
        running = find_running(settings.home)
        address = running.url if running else own_url(settings)
    return VcsApi(address, token, organization)
