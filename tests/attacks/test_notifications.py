"""A7: a notification that is to lead where only the platform can go, or to tell where one leads."""

import socket
from collections.abc import Iterator

import pytest

from tests.attacks.client import Client
from tests.faults.platform import Platform

KIND = "notification-configurations"


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[Client]:
    made = Client(platform.url, platform.token)
    yield made
    made.close()


@pytest.fixture(scope="module")
def workspace(client: Client) -> str:
    return client.make_workspace("attacks", "notified")


@pytest.fixture(scope="module")
def inside() -> Iterator[socket.socket]:
    """What listens on loopback, where nobody may come."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        yield listening


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
        "100.100.100.200",
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_notification_leads_to_no_address_of_this_network_however_it_is_written(
    client: Client, workspace: str, inside: socket.socket, host: str, enabled: bool
) -> None:
    port = inside.getsockname()[1]
    given = {
        "destination-type": "generic",
        "name": "inside",
        "enabled": enabled,
        "url": f"https://{host}:{port}/canary",
    }
    answer = client.send("POST", f"/workspaces/{workspace}/{KIND}", KIND, given)
    assert answer.status_code == (400 if enabled else 422), answer.text
    assert "not public" in answer.text
    assert "canary" not in answer.text
    with pytest.raises(TimeoutError):
        inside.accept()
