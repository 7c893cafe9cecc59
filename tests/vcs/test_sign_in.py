"""Every way in to Azure DevOps Services, up to a list of repositories."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import KeySet

from landform.identity import issuer
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import ForbiddenError, InvalidError
from landform.vcs import callback, connections
from landform.vcs.callback import Return, Way
from landform.vcs.credentials import get_token
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.settings import ConnectionSettings
from tests.standins import microsoft_identity
from tests.standins.microsoft_identity import RESOURCE, Trust
from tests.standins.serving import json_answer
from tests.vcs.scene import ISSUER, Scene


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """Entra's tokens are taken by the Azure DevOps organization, as Ann's."""

    def mint(life: timedelta) -> str:
        return scene.azure.tokens.issue(scene.ann, ["vso.code"], is_pat=False, life=life)

    scene.entra.mint = mint
    return scene


async def opened(scene: Scene, row: Connection) -> Way:
    async with transaction(scene.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        return await callback.begin(session, scene.reach, scene.owner, found, base=ISSUER)


def walked(url: str) -> dict[str, str]:
    """Open the authorize page and go where it sends; return what it sends along."""
    answer = httpx2.get(url, trust_env=False)
    assert answer.status_code == 302, answer.text
    query = urlsplit(answer.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def back(row: Connection, sent: dict[str, str]) -> Return:
    return Return(
        name=row.id,
        code=sent.get("code", ""),
        state=sent.get("state", ""),
        error=sent.get("error", ""),
        description=sent.get("error_description", ""),
    )


def form_of(scene: Scene, number: int = -1) -> dict[str, str]:
    body = scene.entra.server.asked("POST", "token")[number].body.decode()
    return {name: values[0] for name, values in parse_qs(body).items()}


async def lists(scene: Scene, row: Connection) -> None:
    provider = await scene.provider_of(row)
    assert [each.name for each in (await provider.repositories()).items] == ["infra.git"]


# ── a person, by Entra ──────────────────────────────────────────────────────────────────────────


async def entra_connection(scene: Scene, **settings: Any) -> Connection:
    row = await scene.connect(
        SignIn.ENTRA_OAUTH, client_id="app", tenant=scene.entra.tenant, **settings
    )
    scene.entra.register(
        "app", redirect_uri=row.callback_url, secret=settings.get("client_secret", "")
    )
    return row


@pytest.mark.parametrize("secret", ["", "s3cret"])
async def test_a_person_signs_in_by_entra_with_and_without_a_client_secret(
    scene: Scene, secret: str
) -> None:
    row = await entra_connection(scene, client_secret=secret)
    sent = walked((await opened(scene, row)).url)
    assert await callback.finish(scene.reach, scene.owner, back(row, sent)) == ""
    assert scene.entra.granted == ["authorization_code"]
    await lists(scene, row)


async def test_entra_is_asked_for_all_that_is_configured_and_for_a_refresh_token(
    scene: Scene,
) -> None:
    row = await entra_connection(scene)
    query = parse_qs(urlsplit((await opened(scene, row)).url).query)
    assert query["scope"] == [f"{RESOURCE}/.default offline_access"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]


async def test_the_life_of_a_token_is_what_entra_says(scene: Scene) -> None:
    scene.entra.life_s = 4771
    row = await entra_connection(scene)
    await callback.finish(
        scene.reach, scene.owner, back(row, walked((await opened(scene, row)).url))
    )
    token = await get_token(scene.reach, row.id)
    assert token.expires_at is not None
    left_s = (token.expires_at - datetime.now(UTC)).total_seconds()
    assert 4700 < left_s <= 4771


async def test_a_person_who_declines_is_told_so_and_nothing_is_connected(scene: Scene) -> None:
    row = await entra_connection(scene)
    scene.entra.consents = False
    sent = walked((await opened(scene, row)).url)
    with pytest.raises(InvalidError, match="User declined to consent"):
        await callback.finish(scene.reach, scene.owner, back(row, sent))
    assert (await scene.row(row.id)).status is ConnectionStatus.PENDING


async def test_a_refresh_token_of_entra_is_used_and_the_newest_kept(scene: Scene) -> None:
    row = await entra_connection(scene)
    scene.entra.life_s = 30  # within the margin: every use refreshes
    await callback.finish(
        scene.reach, scene.owner, back(row, walked((await opened(scene, row)).url))
    )
    await get_token(scene.reach, row.id)
    newest = form_of(scene)["refresh_token"]
    await get_token(scene.reach, row.id)
    assert form_of(scene)["refresh_token"] != newest


@pytest.mark.parametrize("number", [700082, 50173, 65001, 50076, 53003])
async def test_what_a_person_must_mend_asks_for_a_person(scene: Scene, number: int) -> None:
    row = await entra_connection(scene)
    scene.entra.life_s = 30
    await callback.finish(
        scene.reach, scene.owner, back(row, walked((await opened(scene, row)).url))
    )
    said = {
        "error": "invalid_grant",
        "error_description": f"AADSTS{number}: no",
        "error_codes": [number],
    }
    scene.entra.server.plan("token", answer=json_answer(said, 400))
    with pytest.raises(SignInNeededError, match=f"AADSTS{number}"):
        await get_token(scene.reach, row.id)
    assert (await scene.row(row.id)).status is ConnectionStatus.NEEDS_RECONNECT


# ── a service principal ─────────────────────────────────────────────────────────────────────────


async def test_a_service_principal_signs_in_by_its_secret(scene: Scene) -> None:
    scene.entra.register("sp", secret="s3cret")
    row = await scene.connect(
        SignIn.SERVICE_PRINCIPAL_SECRET,
        client_id="sp",
        client_secret="s3cret",
        tenant=scene.entra.tenant,
    )
    await lists(scene, row)
    await lists(scene, row)
    assert scene.entra.granted == ["client_credentials"]  # the token is kept while it holds
    assert (await scene.row(row.id)).status is ConnectionStatus.CONNECTED


@pytest.mark.parametrize(
    ("registered", "advice"),
    [
        ({"secret": "another"}, "client secret is wrong"),
        ({"secret": "s3cret", "secret_expired": True}, "client secret has expired"),
    ],
)
async def test_a_secret_that_is_not_taken_says_what_to_do(
    scene: Scene, registered: dict[str, str], advice: str
) -> None:
    scene.entra.register("sp", **registered)
    row = await scene.connect(
        SignIn.SERVICE_PRINCIPAL_SECRET,
        client_id="sp",
        client_secret="s3cret",
        tenant=scene.entra.tenant,
    )
    with pytest.raises(ProviderRefusedError, match=advice):
        await get_token(scene.reach, row.id)
    assert advice in (await scene.row(row.id)).status_reason


def make_certificate() -> tuple[x509.Certificate, str, str]:
    """Return a self-signed certificate, and it and its key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "landform")])
    moment = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment)
        .not_valid_after(moment + timedelta(days=90))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made, made.public_bytes(Encoding.PEM).decode(), private.decode()


async def test_a_service_principal_signs_in_by_its_certificate(scene: Scene) -> None:
    certificate, pem, key = make_certificate()
    scene.entra.register("sp", certificate=certificate)
    row = await scene.connect(
        SignIn.SERVICE_PRINCIPAL_CERTIFICATE,
        client_id="sp",
        certificate=pem,
        private_key=key,
        tenant=scene.entra.tenant,
    )
    assert row.secret_expires_at == certificate.not_valid_after_utc
    scene.entra.life_s = (
        30  # within the margin: every use fetches, each with an assertion of its own
    )
    await lists(scene, row)
    await lists(scene, row)
    assert scene.entra.granted == ["client_credentials"] * 2


async def test_a_certificate_nobody_registered_says_so(scene: Scene) -> None:
    other, _, _ = make_certificate()
    _, pem, key = make_certificate()
    scene.entra.register("sp", certificate=other)
    row = await scene.connect(
        SignIn.SERVICE_PRINCIPAL_CERTIFICATE,
        client_id="sp",
        certificate=pem,
        private_key=key,
        tenant=scene.entra.tenant,
    )
    with pytest.raises(ProviderRefusedError, match="not the one registered"):
        await get_token(scene.reach, row.id)


async def test_a_federated_credential_needs_no_secret_at_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await scene.connect(
        SignIn.SERVICE_PRINCIPAL_FEDERATED, client_id="sp", tenant=scene.entra.tenant
    )
    subject = f"organization:{scene.organization_id}:vcs:{row.id}"
    scene.entra.register("sp", trusts=[Trust(ISSUER, subject)])
    await issuer.sign(
        scene.reach.sessions, scene.reach.keyring, issuer=ISSUER, subject="x", audience="x"
    )
    async with transaction(scene.reach.sessions) as session:
        keys = KeySet.import_key_set({"keys": await issuer.public_keys(session)})
    monkeypatch.setattr(microsoft_identity, "_published", lambda issuer: {ISSUER: keys}[issuer])
    await lists(scene, row)


async def test_a_federated_credential_of_another_connection_is_not_taken(scene: Scene) -> None:
    row = await scene.connect(
        SignIn.SERVICE_PRINCIPAL_FEDERATED, client_id="sp", tenant=scene.entra.tenant
    )
    scene.entra.register("sp", trusts=[Trust(ISSUER, "organization:other:vcs:other")])
    with pytest.raises(ProviderRefusedError, match="no federated credential matches"):
        await get_token(scene.reach, row.id)


# ── a managed identity ──────────────────────────────────────────────────────────────────────────


async def test_a_managed_identity_signs_in_by_the_machines_metadata(scene: Scene) -> None:
    scene.entra.managed_identities.add("mi")
    row = await scene.connect(SignIn.MANAGED_IDENTITY, client_id="mi")
    await lists(scene, row)
    await lists(scene, row)
    (asked,) = scene.entra.imds.asked("GET", "token")
    assert asked.headers["metadata"] == "true"
    assert asked.query["client_id"] == "mi"


async def test_a_metadata_service_that_restarts_is_asked_again(scene: Scene) -> None:
    scene.entra.managed_identities.add("mi")
    scene.entra.imds.plan("token", answer=json_answer({}, 410))
    row = await scene.connect(SignIn.MANAGED_IDENTITY)
    await lists(scene, row)


async def test_a_machine_without_an_identity_says_so(scene: Scene) -> None:
    row = await scene.connect(SignIn.MANAGED_IDENTITY)
    with pytest.raises(ProviderRefusedError, match="is an identity assigned"):
        await get_token(scene.reach, row.id)


async def test_a_metadata_service_that_fails_is_away(scene: Scene) -> None:
    scene.entra.imds.plan("token", answer=json_answer({}, 500), times=9)
    row = await scene.connect(SignIn.MANAGED_IDENTITY)
    with pytest.raises(ProviderAwayError, match="status 500"):
        await get_token(scene.reach, row.id)


async def test_the_machines_identity_is_lent_to_an_organization_by_a_site_admin_only(
    scene: Scene,
) -> None:
    async def make(actor: Actor) -> Connection:
        async with transaction(scene.reach.sessions) as session:
            return await connections.create_connection(
                session,
                scene.reach.keyring,
                actor,
                scene.organization_id,
                ConnectionSettings(name="ado", account="Acme"),
                kind=Kind.AZURE_DEVOPS,
                sign_in=SignIn.MANAGED_IDENTITY,
                base=ISSUER,
            )

    async def change(actor: Actor, **settings: Any) -> None:
        async with transaction(scene.reach.sessions) as session:
            found = await session.get_one(Connection, row.id)
            new = ConnectionSettings(**settings)
            await connections.update_connection(session, scene.reach.keyring, actor, found, new)

    with pytest.raises(ForbiddenError, match="only a site admin"):
        await make(scene.owner)
    row = await make(scene.site_admin)
    await change(scene.owner, name="renamed")
    for settings in (
        {"account": "Globex"},
        {"api_url": "https://evil.example"},
        {"client_id": "another-of-the-machine"},
    ):
        with pytest.raises(ForbiddenError, match="only a site admin"):
            await change(scene.owner, **settings)
    await change(scene.site_admin, account="Globex")


# ── the legacy OAuth of Azure DevOps ────────────────────────────────────────────────────────────


async def test_the_legacy_exchange_sends_its_five_fields(scene: Scene) -> None:
    row = await scene.connect(SignIn.OAUTH, client_id="x", client_secret="y", callback="ado")
    application = scene.azure.oauth.register(row.callback_url)
    async with transaction(scene.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        found.client_id = application.client_id
    scene.azure.browser = scene.ann
    way = await opened(scene, row)
    sent = walked(way.documented_url)
    assert set(sent) == {"code"}
    with pytest.raises(ProviderRefusedError, match="60 days"):  # for "y" is not its secret
        await callback.finish(scene.reach, scene.owner, back(row, sent))
    (asked,) = scene.azure.vssps.asked("POST", "oauth2/token")
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert form == {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "y",
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": sent["code"],
        "redirect_uri": row.callback_url,
    }


async def test_an_error_with_status_200_is_an_error(scene: Scene) -> None:
    row = await scene.connect(SignIn.OAUTH, client_id="x", client_secret="y")
    said = {"error": "server_error", "error_description": "Something broke."}
    scene.azure.vssps.plan("oauth2/token", answer=json_answer(said, 200))
    with pytest.raises(ProviderRefusedError, match=r"Something broke\."):
        await callback.finish(scene.reach, scene.owner, Return(name=row.id, code="c"))
    assert (await scene.row(row.id)).status is ConnectionStatus.PENDING
