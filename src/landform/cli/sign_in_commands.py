"""The parser of `landform sign-in`. What a command does is imported when it is called."""
# ruff: noqa: PLC0415 - an HTTP client takes a while to import; cli/main.py says why that matters

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

sign_in = typer.Typer(
    help="How people sign in: identity providers, and passwords. For site admins.",
    no_args_is_help=True,
)

Address = Annotated[
    str | None,
    typer.Option(
        envvar="LANDFORM_ADDRESS",
        help="The server, such as https://landform.example. Default: the platform that runs here.",
    ),
]
Home = Annotated[Path | None, typer.Option(help="The home of the platform that runs here.")]
Which = Annotated[str, typer.Argument(metavar="PROVIDER", help="Its id or its name.")]
Text = Annotated[str | None, typer.Option()]
Switch = Annotated[bool | None, typer.Option()]
MetadataFile = Annotated[
    Path | None, typer.Option(help="SAML: the provider's metadata; - is standard input.")
]
MetadataUrl = Annotated[str | None, typer.Option(help="SAML: where the metadata are, instead.")]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        help="Where the client secret is; - is standard input. Default: LANDFORM_SIGN_IN_SECRET,"
        " else asked for."
    ),
]
Several = Annotated[list[str] | None, typer.Option(help="May be given more than once.")]


@sign_in.command("create")
def create(  # noqa: PLR0913, PLR0917 - the settings of a provider
    kind: Annotated[
        str,
        typer.Option(help="entra-id, google, okta, keycloak, dex, gitlab, github, oidc or saml."),
    ],
    client_id: Annotated[
        str | None,
        typer.Option(help="Of the application registered there; of SAML, an entity id of ours."),
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Exactly as the provider writes it.")] = None,
    secret_file: SecretFile = None,
    name: Text = None,
    scopes: Text = None,
    groups_claim: Text = None,
    group_prefix: Text = None,
    allowed_domain: Several = None,
    required_group: Several = None,
    creates_users: Switch = None,
    links_by_email: Switch = None,
    trusts_email: Switch = None,
    metadata_file: MetadataFile = None,
    metadata_url: MetadataUrl = None,
    signs_requests: Switch = None,
    address: Address = None,
    home: Home = None,
) -> None:
    """Let people sign in through another provider; print what to register there."""
    from landform.cli.sign_in import SignInApi, next_steps, read_file, read_secret

    made = SignInApi.of(address, home).create(
        {
            "kind": kind,
            "issuer": issuer,
            "client-id": client_id,
            "client-secret": None if kind == "saml" else read_secret(secret_file),
            "enabled": None if kind != "saml" or metadata_file or metadata_url else False,
            **_settings(
                name=name,
                scopes=scopes,
                groups_claim=groups_claim,
                group_prefix=group_prefix,
                allowed_domains=allowed_domain,
                required_groups=required_group,
                creates_users=creates_users,
                links_by_email=links_by_email,
                trusts_email=trusts_email,
                metadata=read_file(metadata_file) if metadata_file else None,
                metadata_url=metadata_url,
                signs_requests=signs_requests,
            ),
        }
    )
    print(next_steps(made))


@sign_in.command("update")
def update(  # noqa: PLR0913, PLR0917 - the settings of a provider
    provider: Which,
    client_id: Text = None,
    secret_file: SecretFile = None,
    name: Text = None,
    scopes: Text = None,
    groups_claim: Text = None,
    group_prefix: Text = None,
    allowed_domain: Several = None,
    required_group: Several = None,
    creates_users: Switch = None,
    links_by_email: Switch = None,
    trusts_email: Switch = None,
    metadata_file: MetadataFile = None,
    metadata_url: MetadataUrl = None,
    signs_requests: Switch = None,
    enabled: Switch = None,
    address: Address = None,
    home: Home = None,
) -> None:
    """Change what is given of a provider; its secret only with --secret-file."""
    from landform.cli.sign_in import SignInApi, describe, read_file, read_secret

    api = SignInApi.of(address, home)
    change = _settings(
        client_id=client_id,
        client_secret=read_secret(secret_file) if secret_file else None,
        name=name,
        scopes=scopes,
        groups_claim=groups_claim,
        group_prefix=group_prefix,
        allowed_domains=allowed_domain,
        required_groups=required_group,
        creates_users=creates_users,
        links_by_email=links_by_email,
        trusts_email=trusts_email,
        metadata=read_file(metadata_file) if metadata_file else None,
        metadata_url=metadata_url,
        signs_requests=signs_requests,
        enabled=enabled,
    )
    print(describe(api.update(api.find(provider)["id"], change)))


@sign_in.command("list")
def list_(address: Address = None, home: Home = None) -> None:
    """List the providers, and say whether passwords are for all."""
    from landform.cli.sign_in import SignInApi, overview

    api = SignInApi.of(address, home)
    print(overview(api.list(), api.policy()))


@sign_in.command("show")
def show(provider: Which, address: Address = None, home: Home = None) -> None:
    """Show a provider; its secret is never shown."""
    from landform.cli.sign_in import SignInApi, describe

    print(describe(SignInApi.of(address, home).find(provider)))


@sign_in.command("delete")
def delete(provider: Which, address: Address = None, home: Home = None) -> None:
    """Remove a provider; users stay."""
    from landform.cli.sign_in import SignInApi

    api = SignInApi.of(address, home)
    found = api.find(provider)
    api.delete(found["id"])
    print(f"Removed the identity provider {found['id']} ({found['attributes']['name']}).")


@sign_in.command("passwords")
def passwords(
    state: Annotated[Literal["on", "off"], typer.Argument(help="Whether they are for all.")],
    break_glass: Annotated[
        str, typer.Option(help="The site admin who can still sign in by password.")
    ] = "",
    address: Address = None,
    home: Home = None,
) -> None:
    """Let everybody sign in by password, or nobody but one site admin."""
    from landform.cli.sign_in import SignInApi

    SignInApi.of(address, home).set_policy(is_on=state == "on", break_glass=break_glass)
    print(f"Signing in by password is {state}.")


def _settings(**given: Any) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in given.items() if value is not None}
