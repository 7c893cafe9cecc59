"""A14: signed addresses that are guessed, altered, swapped, too old, or used for something else."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from landform.edge.signed_urls import PREFIX, Deed, UrlSigner
from landform.kit.crypto import Keyring, parse_keys
from tests.attacks.client import Client
from tests.faults.configurations import pack
from tests.faults.platform import Platform

_MAIN = 'resource "terraform_data" "x" {\n  input = "a"\n}\n'


@dataclass(frozen=True)
class Addresses:
    """Those of one run, by deed, and the object each is for."""

    by_deed: dict[Deed, str]

    def parts(self, deed: Deed) -> tuple[str, str, str]:
        object_id, expires, mac = self.by_deed[deed].rpartition(f"{PREFIX}/{deed}/")[2].split("/")
        return object_id, expires, mac


@pytest.fixture(scope="module")
def made(platform: Platform) -> Iterator[Callable[[], Addresses]]:
    client = Client(platform.url, platform.token)
    yield lambda: _addresses(client)
    client.close()


_NUMBER = iter(range(1000))


def _addresses(client: Client) -> Addresses:
    workspace = client.make_workspace("attacks", f"addresses-{next(_NUMBER)}")
    version = client.upload(workspace, pack({"main.tf": _MAIN}))
    run = client.start(workspace, version, **{"auto-apply": True})
    client.wait(run, "applied")
    plan = run.replace("run-", "plan-", 1)
    state = client.get(f"/workspaces/{workspace}/current-state-version")["attributes"]
    found = {
        Deed.DOWNLOAD_STATE: state["hosted-state-download-url"],
        Deed.READ_TEXT_LOG: client.plan(run)["log-read-url"],
        Deed.DOWNLOAD_PLAN_JSON: client.raw("GET", f"/plans/{plan}/json-output").headers[
            "location"
        ],
        Deed.DOWNLOAD_REDACTED_PLAN: client.raw(
            "GET", f"/plans/{plan}/json-output-redacted"
        ).headers["location"],
        Deed.DOWNLOAD_CONFIGURATION: client.raw(
            "GET", f"/configuration-versions/{version}/download"
        ).headers["location"],
    }
    return Addresses(found)


@pytest.fixture(scope="module")
def two(made: Callable[[], Addresses]) -> tuple[Addresses, Addresses]:
    return made(), made()


def get(address: str, method: str = "GET") -> httpx2.Response:
    return httpx2.request(method, address, trust_env=False, timeout=20.0)


def test_each_opens_without_a_token_and_tells_no_other_site(
    two: tuple[Addresses, Addresses],
) -> None:
    for address in two[0].by_deed.values():
        answer = get(address)
        assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_none_opens_another_s_object_nor_allows_another_deed(
    platform: Platform, two: tuple[Addresses, Addresses]
) -> None:
    one, other = two
    for deed in one.by_deed:
        _, expires, mac = one.parts(deed)
        theirs, _, _ = other.parts(deed)
        assert get(f"{platform.url}{PREFIX}/{deed}/{theirs}/{expires}/{mac}").status_code == 404
        own, _, _ = one.parts(deed)
        for used in Deed:
            if used is not deed:
                swapped = f"{platform.url}{PREFIX}/{used}/{own}/{expires}/{mac}"
                for method in ("GET", "PUT"):
                    assert get(swapped, method).status_code in {404, 405}, (deed, used)


def test_none_can_be_used_to_write_or_delete(two: tuple[Addresses, Addresses]) -> None:
    for address in two[0].by_deed.values():
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            assert get(address, method).status_code == 405
        assert get(address).status_code == 200


@pytest.mark.parametrize(
    "alter",
    [
        lambda o, e, m: (o, e, m[:-1] + ("A" if m[-1] != "A" else "B")),
        lambda o, e, _: (o, e, ""),
        lambda o, e, m: (o, e, m.swapcase()),
        lambda o, e, m: (o, f"{int(e, 16) + 1:x}", m),
        lambda o, e, m: (o, f"0{e}", m + "="),
        lambda o, _, m: (o, "-1", m),
        lambda o, _, m: (o, "f" * 400, m),
        lambda o, e, m: (f"{o}%0a", e, m),
        lambda o, e, m: (f"../{o}", e, m),
        lambda o, e, m: (f"x%2f..%2f{o}", e, m),
    ],
)
def test_an_altered_one_opens_nothing(
    platform: Platform,
    two: tuple[Addresses, Addresses],
    alter: Callable[[str, str, str], tuple[str, str, str]],
) -> None:
    for deed in two[0].by_deed:
        path = "/".join(alter(*two[0].parts(deed)))
        answer = get(f"{platform.url}{PREFIX}/{deed}/{path}")
        assert answer.status_code == 404, answer.text


def test_one_whose_time_is_over_opens_nothing(
    platform: Platform, two: tuple[Addresses, Addresses], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, *older = parse_keys(Path(platform.home / "encryption.key").read_text())
    ring = Keyring(key, older)
    signer = UrlSigner(lambda: ring.derive("signed-urls"))
    now = time.time()
    for deed in two[0].by_deed:
        object_id, _, _ = two[0].parts(deed)
        with monkeypatch.context() as past:
            past.setattr("time.time", lambda: now - 2 * 24 * 3600)
            old = signer.path(deed, object_id)
        assert get(f"{platform.url}{old}").status_code == 404
        assert get(f"{platform.url}{signer.path(deed, object_id)}").status_code == 200


def test_guesses_are_refused_alike_whether_the_object_is_there_or_not(
    platform: Platform, two: tuple[Addresses, Addresses]
) -> None:
    object_id, expires, _ = two[0].parts(Deed.DOWNLOAD_STATE)
    guess = "A" * 32
    answers = [
        get(f"{platform.url}{PREFIX}/{Deed.DOWNLOAD_STATE}/{which}/{expires}/{guess}")
        for which in (object_id, "sv-doesnotexist00")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text == answers[1].text
