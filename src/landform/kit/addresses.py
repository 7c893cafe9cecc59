"""Whom an address stands for."""

import ipaddress
from typing import Final

_NETWORK_BITS: Final = 64  # of IPv6: whoever has one address of these has them all


def network_of(address: str) -> str:
    """Return what all addresses share that one caller can have; what is no address as it is."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        known = known.ipv4_mapped or ipaddress.IPv6Address(int(known))
    bits = _NETWORK_BITS if isinstance(known, ipaddress.IPv6Address) else known.max_prefixlen
    return str(ipaddress.ip_network((known, bits), strict=False))
