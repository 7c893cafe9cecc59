import socket
import sys

import pytest

from landform.cli.addresses import bind, kept, own_url, reachable
from landform.kit.errors import ConflictError, InvalidError
from landform.settings import Settings


def test_a_taken_port_is_refused_with_what_to_do() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConflictError, match=rf"Port {port} of 127.0.0.1 is taken.*--port"):
            bind("127.0.0.1", port)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody could listen there then")
def test_a_port_is_kept_from_who_asks_for_any_until_its_server_listens_there() -> None:
    with kept("127.0.0.1", 0) as port, socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with bind("127.0.0.1", port) as server:
            server.listen()
            socket.create_connection(("127.0.0.1", port), timeout=30).close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InvalidError, match="Cannot listen on port 0 of 192"):
        bind("192.0.2.1", 0)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidError, match="'no such host' is no address"):
        bind("no such host", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("2001:db8::1", "http://[2001:db8::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_a_server_is_reached_from_its_own_machine(host: str, url: str) -> None:
    assert reachable(Settings(host=host, port=80)) == url


def test_clients_reach_a_server_where_its_operator_says() -> None:
    settings = Settings(port=80, public_url="https://landform.example/")
    assert own_url(settings) == "https://landform.example"
