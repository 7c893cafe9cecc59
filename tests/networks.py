"""Addresses that this machine has for a test, so that something can be elsewhere."""

import ipaddress
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def _can_have_networks() -> bool:
    if os.geteuid() or not shutil.which("slirp4netns"):
        return False
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError:
        return False
    return True


needs_networks = pytest.mark.skipif(
    not _can_have_networks(), reason="needs root, slirp4netns and /dev/net/tun"
)
"""Runs get networks of their own without root too; these tests give this machine addresses."""


@contextmanager
def having(address: str) -> Iterator[str]:
    """Give this machine an address that is neither its loopback nor anybody else's."""
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try:
        yield address
    finally:
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)


@contextmanager
def having_one_of(network: str) -> Iterator[str]:
    """Give this machine an address of `network` that it did not have: others may run tests too."""
    for address in random.sample(list(ipaddress.ip_network(network).hosts()), 20):
        words = ["ip", "address", "add", f"{address}/32", "dev", "lo"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            break
    else:
        raise AssertionError(f"no address of {network} could be had")
    try:
        yield str(address)
    finally:
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)


class Port:
    """A free port of loopback that is kept for a server which is told of it.

    It is bound until `close`, so nobody else gets it who asks for any; a server that reuses
    addresses, as they do, may listen there all the same.
    """

    def __init__(self) -> None:
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self.number = int(self._kept.getsockname()[1])

    def close(self) -> None:
        """Keep it no more."""
        self._kept.close()
