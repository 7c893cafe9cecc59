"""Configuration versions through the API."""

from typing import Any

import pytest

from tests.api.tfe.people import detail, ids
from tests.api.tfe.server import Server, signed
from tests.files import make_archive

KIND = "configuration-versions"


@pytest.fixture
def path(server: Server) -> str:
    return f"workspaces/{server.world.workspace_id}/{KIND}"


async def announce(server: Server, path: str, **sent: Any) -> Any:
    return await server.owner.post(path, KIND, **sent)


async def upload(server: Server, made: Any, archive: bytes) -> int:
    there = signed(made["data"]["attributes"]["upload-url"])
    return int((await server.http.put(there, content=archive)).status_code)


@pytest.mark.parametrize(
    "sent",
    [
        {"auto-queue-runs": False, "speculative": True, "provisional": False},
        {"auto-queue-runs": False, "speculative": False, "provisional": True},
    ],
    ids=["plan", "saved plan"],
)
async def test_what_the_cli_announces_is_told_back(
    server: Server, path: str, sent: dict[str, Any]
) -> None:
    attributes = (await announce(server, path, **sent))["data"]["attributes"]
    assert {name: attributes[name] for name in sent} == sent
    assert attributes["status"] == "pending"


async def test_runs_are_queued_by_an_upload_unless_that_is_declined(
    server: Server, path: str
) -> None:
    made = await announce(server, path)
    assert made["data"]["attributes"]["auto-queue-runs"] is True
    assert await upload(server, made, make_archive()) == 200
    [run] = await server.world.runs()
    assert run.configuration_version_id == made["data"]["id"]


async def test_configurations_are_listed_newest_first_with_their_status(
    server: Server, path: str
) -> None:
    bad = await announce(server, path, auto_queue_runs=False)
    assert await upload(server, bad, b"no archive") == 422
    waiting = await announce(server, path)
    shown = await server.owner.get(path)
    assert ids(shown) == [waiting["data"]["id"], bad["data"]["id"], server.world.configuration_id]
    statuses = [each["attributes"]["status"] for each in shown["data"]]
    assert statuses == ["pending", "errored", "uploaded"]


async def test_the_address_of_an_upload_is_told_to_who_announced_it_and_only_before(
    server: Server, path: str
) -> None:
    made = await announce(server, path, auto_queue_runs=False)
    one = f"{KIND}/{made['data']['id']}"
    other = await server.caller("admin")
    assert (await other.get(one))["data"]["attributes"]["upload-url"] is None
    assert (await server.owner.get(one))["data"]["attributes"]["upload-url"]
    assert await upload(server, made, make_archive()) == 200
    assert (await server.owner.get(one))["data"]["attributes"]["upload-url"] is None


async def test_an_upload_is_taken_once_and_the_same_again_is_no_failure(
    server: Server, path: str
) -> None:
    made = await announce(server, path, auto_queue_runs=False)
    archive = make_archive()
    assert await upload(server, made, archive) == 200
    assert await upload(server, made, archive) == 200
    assert await upload(server, made, make_archive({"other.tf": ""})) == 409


async def test_a_configuration_is_downloaded_as_it_was_uploaded(server: Server, path: str) -> None:
    made = await announce(server, path, auto_queue_runs=False)
    headers = {"Authorization": f"Bearer {server.owner.token}"}
    there = f"/api/v2/{KIND}/{made['data']['id']}/download"
    early = await server.http.get(there, headers=headers)
    assert early.status_code == 404
    assert "has not been uploaded" in detail(early.json())
    archive = make_archive({"main.tf": "# mine\n"})
    assert await upload(server, made, archive) == 200
    answer = await server.http.get(there, headers=headers)
    assert answer.status_code == 302
    assert (await server.http.get(answer.headers["location"])).content == archive


@pytest.mark.parametrize(
    ("client", "source"), [({"Terraform-Version": "1.11.4"}, "terraform"), ({}, "tfe-api")]
)
async def test_where_a_configuration_comes_from_is_told(
    server: Server, path: str, client: dict[str, str], source: str
) -> None:
    headers = {"Authorization": f"Bearer {server.owner.token}", **client}
    body = {"data": {"type": KIND}}
    answer = await server.http.post(f"/api/v2/{path}", json=body, headers=headers)
    assert answer.json()["data"]["attributes"]["source"] == source
