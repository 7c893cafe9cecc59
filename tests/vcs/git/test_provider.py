"""A plain git server: a real sshd, and git's own HTTP server behind TLS."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from landform.checkout.service import changed_paths, check_out
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, InvalidError, NotFoundError
from landform.vcs import connections
from landform.vcs.credentials import open_provider
from landform.vcs.errors import (
    NoSuchRepositoryError,
    ProviderAwayError,
    ProviderRefusedError,
    SignInNeededError,
)
from landform.vcs.git.program import GitFailedError
from landform.vcs.kinds import SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.settings import ConnectionSettings
from tests import factories
from tests.vcs.git.conftest import Place


@pytest.fixture
def closed(tmp_path: Path) -> bytes:
    """A key behind a passphrase."""
    file = tmp_path / "key"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a word", "-f", str(file)]
    subprocess.run(words, check=True)
    return file.read_bytes()


BOTH = pytest.mark.parametrize("way", [SignIn.SSH_KEY, SignIn.PASSWORD])


@BOTH
async def test_a_repository_is_found_by_its_path_and_read(place: Place, way: SignIn) -> None:
    provider = await place.provider(way)
    repository = await provider.repository("team/infra.git")
    assert (repository.id, repository.name) == ("team/infra.git", "infra")
    assert repository.default_branch == "main"
    assert (await provider.repository(repository.id)) == repository
    commit = await provider.read_commit(repository, place.first)
    assert (commit.sha, commit.message, commit.author_name) == (place.first, "Begin", "Ann")
    with pytest.raises(NoSuchRepositoryError):
        await provider.read_commit(repository, "d" * 40)


@BOTH
async def test_a_commit_and_what_changed_are_fetched(place: Place, way: SignIn) -> None:
    provider = await place.provider(way)
    repository = await provider.repository("team/infra.git")
    second = place.repo.commit("main", {"b.tf": "1", "main.tf": None})
    allow = place.reach.services.http.allow

    async def credentials() -> Any:
        return await provider.clone_credentials(repository)

    got = await check_out(credentials, place.first, allow=allow)
    assert (got.commit.sha, got.commit.message) == (place.first, "Begin")
    paths = await changed_paths(credentials, place.first, second, allow=allow)
    assert paths == {"b.tf", "main.tf"}


async def test_every_form_of_address_is_the_same_repository(place: Place) -> None:
    provider = await place.provider()
    whole = f"{place.server.ssh_url}/team/infra.git"
    named = whole.replace("://", "://somebody@")
    absolute = f"git@127.0.0.1:{place.server.root}/team/infra.git"
    for reference in ("team/infra.git", "/team/infra.git/", whole, named, absolute):
        assert (await provider.repository(reference)).id == "team/infra.git", reference
    by_http = await place.provider(SignIn.PASSWORD)
    assert (await by_http.repository(f"{place.server.https_url}/team/infra.git")).id == (
        "team/infra.git"
    )


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "../x",
        "team//x",
        "https://example.com/x",
        "git@example.com:x",
        "ssh://127.0.0.1/x",
        "a\nb",
    ],
)
async def test_what_is_of_no_form_or_elsewhere_is_refused(place: Place, reference: str) -> None:
    provider = await place.provider()
    with pytest.raises(InvalidError):
        await provider.repository(reference)


@BOTH
async def test_a_repository_that_is_not_there_is_said_so(place: Place, way: SignIn) -> None:
    provider = await place.provider(way)
    with pytest.raises(NoSuchRepositoryError):
        await provider.repository("team/nothing.git")
    assert not (await provider.repositories(search="team/nothing.git")).items
    [found] = (await provider.repositories(search="team/infra.git")).items
    assert found.identifier == "team/infra.git"


async def test_an_empty_repository_has_no_default_branch(place: Place) -> None:
    place.server.repository("team/empty.git")
    provider = await place.provider()
    repository = await provider.repository("team/empty.git")
    assert repository.default_branch == ""
    assert not (await provider.branches(repository)).items


async def test_refs_are_of_exactly_their_name_and_tags_peeled(place: Place) -> None:
    second = place.repo.commit("main2", {"a.tf": "1"})
    third = place.repo.commit("x/refs/heads/main", {"a.tf": "2"})
    place.repo.tag("v1", place.first, message="One")
    place.repo.tag("v1.1", second)
    provider = await place.provider()
    repository = await provider.repository("team/infra.git")
    main = await provider.branch(repository, "main")
    assert main is not None
    assert main.commit == place.first
    assert await provider.branch(repository, "mai") is None
    shown = {each.name: each.commit for each in (await provider.branches(repository)).items}
    assert shown == {"main": place.first, "main2": second, "x/refs/heads/main": third}
    tags = {each.name: each.commit for each in (await provider.tags(repository)).items}
    assert tags == {"v1": place.first, "v1.1": second}
    tag = await provider.tag(repository, "v1")
    assert tag is not None
    assert tag.commit == place.first
    assert [each.name for each in (await provider.tags(repository, search=".1")).items] == ["v1.1"]


async def test_more_refs_than_a_page_are_paged(place: Place) -> None:
    lines = "".join(f"create refs/tags/t{n:04d} {place.first}\n" for n in range(1003))
    place.repo.git("update-ref", "--stdin", data=lines.encode())
    provider = await place.provider()
    repository = await provider.repository("team/infra.git")
    first = await provider.tags(repository)
    rest = await provider.tags(repository, page=first.following)
    assert (len(first.items), len(rest.items), rest.following) == (1000, 3, "")
    assert first.items[-1].name < rest.items[0].name


async def test_landform_makes_a_key_whose_private_half_stays_here(place: Place) -> None:
    row = await place.connect()
    assert row.ssh_public_key.startswith("ssh-ed25519 ")
    assert b"PRIVATE KEY" not in row.sealed_secrets
    found = await connections.test_connection(place.reach, place.owner, row.id)
    assert found.identity == f"{place.server.user}@127.0.0.1"
    async with transaction(place.reach.sessions) as session:
        assert (await session.get_one(Connection, row.id)).status is ConnectionStatus.CONNECTED


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_pasted_key_signs_in_in_whatever_form_it_was(
    place: Place, kind: str, form: PrivateFormat
) -> None:
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else _rsa(3072)
    text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    provider = await place.provider(private_key=f"\n{text.strip()}\n\n")
    assert (await provider.repository("team/infra.git")).id == "team/infra.git"


async def test_keys_that_cannot_sign_in_are_refused_with_the_reason(
    place: Place, closed: bytes
) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    other = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    small = _rsa(1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for text, words in [
        (closed, "passphrase"),
        (b"nonsense", "no private key"),
        (other, "ed25519, or RSA"),
        (small, "2048 bits"),
    ]:
        with pytest.raises(InvalidError, match=words) as refused:
            await place.connect(private_key=text.decode())
        assert text.decode() not in str(refused.value)


async def test_a_key_that_the_server_does_not_know_is_said_at_the_connection(
    place: Place,
) -> None:
    row = await place.connect()
    (place.server.directory / "authorized_keys").write_text("")
    with pytest.raises(SignInNeededError, match="add its public half"):
        await connections.test_connection(place.reach, place.owner, row.id)
    async with transaction(place.reach.sessions) as session:
        broken = await session.get_one(Connection, row.id)
    assert broken.status is ConnectionStatus.NEEDS_RECONNECT
    provider = await open_provider(place.reach, row.id)
    with pytest.raises(SignInNeededError):
        await provider.repository("team/infra.git")
    place.server.authorize(row.ssh_public_key)
    await connections.test_connection(place.reach, place.owner, row.id)
    assert await provider.repository("team/infra.git")


async def test_other_settings_change_without_the_key_and_a_new_key_needs_a_new_test(
    place: Place, closed: bytes
) -> None:
    row = await place.connect()
    await connections.test_connection(place.reach, place.owner, row.id)

    async def change(**settings: Any) -> Connection:
        async with transaction(place.reach.sessions) as session:
            found = await session.get_one(Connection, row.id)
            await connections.update_connection(
                session, place.reach.keyring, place.owner, found, ConnectionSettings(**settings)
            )
            return found

    same = await change(description="Ours", known_hosts=place.server.host_key())
    assert (same.status, same.ssh_public_key) == (ConnectionStatus.CONNECTED, row.ssh_public_key)
    with pytest.raises(InvalidError, match="passphrase"):
        await change(private_key=closed.decode())
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    other = await change(private_key=text)
    assert other.status is ConnectionStatus.PENDING
    assert other.ssh_public_key != row.ssh_public_key


async def test_a_server_with_another_key_than_the_pinned_one_is_not_spoken_to(
    place: Place,
) -> None:
    row = await place.connect()
    provider = await open_provider(place.reach, row.id)
    assert await provider.repository("team/infra.git")
    place.server.stop()
    place.server.make_host_keys()
    place.server.start()
    with pytest.raises(ProviderRefusedError, match="another SSH host key"):
        await provider.repository("team/infra.git")
    with pytest.raises(ProviderRefusedError, match="another SSH host key"):
        await connections.test_connection(place.reach, place.owner, row.id)


async def test_the_keys_of_a_server_are_asked_for_compared_and_pinned(place: Place) -> None:
    row = await place.connect(known_hosts="")
    provider = await open_provider(place.reach, row.id)
    with pytest.raises(InvalidError, match="pins no SSH host keys"):
        await provider.repository("team/infra.git")
    keys = await connections.ask_host_keys(place.reach, place.owner, row.id)
    assert [each.kind for each in keys] == ["ssh-ed25519", "ecdsa-sha2-nistp256"]
    assert keys[0].fingerprint == place.server.fingerprint()
    assert keys[0].line == place.server.host_key()
    async with transaction(place.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        change = ConnectionSettings(known_hosts=keys[0].line)
        await connections.update_connection(
            session, place.reach.keyring, place.owner, found, change
        )
    provider = await open_provider(place.reach, row.id)
    assert await provider.repository("team/infra.git")


async def test_only_who_manages_connections_has_a_server_asked_for_its_keys(place: Place) -> None:
    row = await place.connect()
    async with transaction(place.reach.sessions) as session:
        organization = await factories.make_organization(session)
        stranger = await factories.make_owner(session, organization)
    with pytest.raises(NotFoundError):
        await connections.ask_host_keys(place.reach, stranger, row.id)
    other = await place.connect(SignIn.PASSWORD)
    with pytest.raises(ConflictError, match="not by SSH"):
        await connections.ask_host_keys(place.reach, place.owner, other.id)


async def test_a_server_that_is_away_is_said_to_be(place: Place) -> None:
    row = await place.connect()
    place.server.stop()
    with pytest.raises(ProviderAwayError):
        await connections.ask_host_keys(place.reach, place.owner, row.id)
    with pytest.raises(GitFailedError):
        await connections.test_connection(place.reach, place.owner, row.id)


async def test_a_password_that_no_longer_holds_is_said_at_the_connection(place: Place) -> None:
    row = await place.connect(SignIn.PASSWORD)
    found = await connections.test_connection(place.reach, place.owner, row.id)
    assert (found.identity, found.hooks) == ("ann@127.0.0.1", False)
    place.server.passwords.clear()
    provider = await open_provider(place.reach, row.id)
    with pytest.raises(SignInNeededError):
        await provider.repository("team/infra.git")
    async with transaction(place.reach.sessions) as session:
        broken = await session.get_one(Connection, row.id)
    assert broken.status is ConnectionStatus.NEEDS_RECONNECT
    with pytest.raises(SignInNeededError):
        await connections.test_connection(place.reach, place.owner, row.id)


@pytest.mark.parametrize(
    ("way", "given", "words"),
    [
        (SignIn.SSH_KEY, {"endpoint": "https://git.example.com"}, "ssh://HOST"),
        (SignIn.PASSWORD, {"endpoint": "ssh://git.example.com"}, "https://HOST"),
        (SignIn.SSH_KEY, {"endpoint": ""}, "where"),
        (SignIn.SSH_KEY, {"username": "-oProxyCommand=x"}, "is a name"),
        (SignIn.SSH_KEY, {"known_hosts": "git.example.com"}, "known_hosts"),
        (SignIn.SSH_KEY, {"known_hosts": "@cert-authority * ssh-rsa AAAA"}, "known_hosts"),
    ],
)
async def test_settings_that_cannot_work_are_refused(
    place: Place, way: SignIn, given: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidError, match=words):
        await place.connect(way, **given)


async def test_what_only_a_platform_has_is_not_there(place: Place) -> None:
    provider = await place.provider()
    repository = await provider.repository("team/infra.git")
    assert not await provider.open_pull_requests(repository)
    with pytest.raises(NotFoundError):
        await provider.pull_request(repository, 1)
    assert not await provider.hooks(repository, url="https://x")


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)
