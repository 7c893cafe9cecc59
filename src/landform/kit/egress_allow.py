"""Which addresses may be called: the public ones, and what an operator adds."""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from landform.kit.errors import InvalidError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Translators reach an IPv4 address through these: what is inside counts (RFC 6052, 8215).
_TRANSLATED: Final = (
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
)
_PORT_MAX: Final = 65535


@dataclass(frozen=True)
class Allow:
    """What an operator allows beside public addresses.

    Attributes:
        hosts: names in lower case, with the port they are allowed on, 0 for any. A name that
            begins with a dot stands for all below it.
        networks: with the port, 0 for any.
    """

    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[tuple[Network, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10.1.0.0/16, tfs.corp.example, .internal:8443, 127.0.0.1:9000, [::1]:80`.

        Raises:
            InvalidError: an entry is none of these.
        """
        hosts: set[tuple[str, int]] = set()
        networks: list[tuple[Network, int]] = []
        for entry in (part.strip() for part in text.replace("\n", ",").split(",")):
            if not entry:
                continue
            name, port = _split_port(entry)
            network = _network(name)
            if network is not None:
                networks.append((network, port))
            elif _is_host_name(name):
                hosts.add((name.lower().removeprefix("*").rstrip("."), port))
            else:
                raise InvalidError(
                    f"LANDFORM_EGRESS_ALLOW: {entry!r} is neither a network such as 10.1.0.0/16"
                    " nor a host name, with or without a port."
                )
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str, port: int) -> bool:
        """Tell whether `host` is allowed by its name, wherever that leads."""
        labels = host.lower().rstrip(".").split(".")
        below = ["." + ".".join(labels[start:]) for start in range(1, len(labels))]
        wanted = (".".join(labels), *below)
        return any((name, known) in self.hosts for name in wanted for known in (0, port))

    def covers(self, address: str, port: int) -> bool:
        """Tell whether `address` is in a network that is allowed."""
        found = _address(address)
        return found is not None and any(
            found.version == network.version and found in network and known in (0, port)
            for network, known in self.networks
        )


def is_public(address: str) -> bool:
    """Tell whether `address` is one of the public network: nobody's own, and no group's."""
    found = _address(address)
    if found is None or not found.is_global or found.is_multicast or found.is_reserved:
        return found is not None and _is_translated_public(found)
    return all(is_public(str(inner)) for inner in _inside(found))


def _is_translated_public(found: Address) -> bool:
    """NAT64 addresses count as reserved to Python; what they lead to decides."""
    inner = _translated(found)
    return inner is not None and is_public(str(inner))


def _inside(found: Address) -> tuple[ipaddress.IPv4Address, ...]:
    if isinstance(found, ipaddress.IPv4Address):
        return ()
    teredo = found.teredo[1] if found.teredo else None
    inner = (found.sixtofour, teredo, _translated(found))
    return tuple(each for each in inner if each is not None)


def _translated(found: Address) -> ipaddress.IPv4Address | None:
    if isinstance(found, ipaddress.IPv6Address) and any(found in net for net in _TRANSLATED):
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return None


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _split_port(entry: str) -> tuple[str, int]:
    name, colon, port = entry.rpartition(":")
    bare_v6 = ":" in name and not name.endswith("]")
    if not colon or bare_v6 or entry.endswith("]"):
        return entry.strip("[]"), 0
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _PORT_MAX):
        raise InvalidError(f"LANDFORM_EGRESS_ALLOW: {entry!r} has no port from 1 to {_PORT_MAX}.")
    return name.strip("[]"), int(port)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_host_name(text: str) -> bool:
    labels = text.removeprefix("*").removeprefix(".").rstrip(".").split(".")
    return (
        all(
            label and label.isascii() and label.replace("-", "a").replace("_", "a").isalnum()
            for label in labels
        )
        and not text.rstrip(".").rpartition(".")[2].isdecimal()
    )
