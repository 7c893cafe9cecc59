"""The releases known when this version of Landform was made: what there is without a network.

Each line is a series and its last patch; every patch from 0 to it was released. To refresh, read
https://releases.hashicorp.com/terraform/index.json and https://get.opentofu.org/tofu/api.json and
write down the last patch of each series; only add what was seen there or on a release page. A
running installation does not depend on it: it keeps the mirror's own index once it has read it.
Last refreshed 2026-11.
"""

from collections.abc import Mapping
from typing import Final

from landform.toolchain.versions import Tool, Version

_TERRAFORM: Final[Mapping[tuple[int, int], int]] = {
    (1, 0): 11,
    (1, 1): 9,
    (1, 2): 9,
    (1, 3): 10,
    (1, 4): 7,
    (1, 5): 7,
    (1, 6): 6,
    (1, 7): 5,
    (1, 8): 5,
    (1, 9): 8,
    (1, 10): 5,
    (1, 11): 4,
    (1, 12): 2,
    (1, 13): 5,
    (1, 14): 9,
    (1, 15): 9,
    (1, 16): 5,
}
_TOFU: Final[Mapping[tuple[int, int], int]] = {
    (1, 6): 3,
    (1, 7): 10,
    (1, 8): 11,
    (1, 9): 4,
    (1, 10): 8,
    (1, 11): 8,
    (1, 12): 6,
    (1, 13): 1,
}


def shipped(tool: Tool) -> frozenset[Version]:
    """Every release of `tool` on the list."""
    series = _TERRAFORM if tool is Tool.TERRAFORM else _TOFU
    return frozenset(
        Version((major, minor, patch))
        for (major, minor), last in series.items()
        for patch in range(last + 1)
    )
