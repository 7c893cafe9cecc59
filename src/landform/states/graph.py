"""What of a state depends on what: resources and modules, never a value of theirs. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from landform.kit.errors import InvalidError
from landform.states.document import provider_name

MOST_NODES: Final = 2000
MOST_EDGES: Final = 10_000
LARGEST_BYTES: Final = 64 << 20

_KEY: Final = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')


class _Instance(msgspec.Struct):
    dependencies: list[str] = []


class _Resource(msgspec.Struct):
    mode: str = "managed"
    type: str = ""
    name: str = ""
    module: str = ""
    provider: str = ""
    instances: list[_Instance] = []


class _State(msgspec.Struct):
    resources: list[_Resource] = []


class Node(msgspec.Struct, frozen=True):
    """A resource as the configuration has it: instances of it, and of its modules, are one.

    Attributes:
        address: with its module, without keys: `module.net.aws_subnet.private`.
        module: `module.a.module.b`; empty for the root.
        needs: addresses of what it depends on, all of which are nodes.
    """

    address: str
    module: str
    kind: str
    name: str
    provider: str
    count: int
    is_data: bool
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The resources of a state, and how many more there are than are told."""

    nodes: tuple[Node, ...]
    left_out: int


def graph_of(raw: bytes) -> Graph:
    """Return the graph of a raw state, by module and address.

    A state names what an object depends on by addresses without keys (measured with terraform
    1.11.4); what the state does not hold is no node, and so no dependency.

    Raises:
        InvalidError: it cannot be read, or is larger than LARGEST_BYTES.
    """
    if len(raw) > LARGEST_BYTES:
        raise InvalidError(f"A state above {LARGEST_BYTES >> 20} MiB is too large for a graph.")
    try:
        state = msgspec.json.decode(raw, type=_State)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidError("The state cannot be read.") from None
    found = _merged(state.resources)
    shown = sorted(found.values(), key=lambda one: (one.module, one.address))[:MOST_NODES]
    kept = {one.address for one in shown}
    room = MOST_EDGES
    nodes = []
    for one in shown:
        needs = tuple(each for each in one.needs if each in kept and each != one.address)[:room]
        room -= len(needs)
        nodes.append(msgspec.structs.replace(one, needs=needs))
    return Graph(tuple(nodes), len(found) - len(nodes))


def _merged(resources: Iterable[_Resource]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for each in resources:
        module = _KEY.sub("", each.module)
        is_data = each.mode == "data"
        local = f"{'data.' if is_data else ''}{each.type}.{each.name}"
        address = f"{module}.{local}" if module else local
        needs = {need for instance in each.instances for need in instance.dependencies}
        before = found.get(address)
        found[address] = Node(
            address=address,
            module=module,
            kind=each.type,
            name=each.name,
            provider=provider_name(each.provider),
            count=len(each.instances) + (before.count if before else 0),
            is_data=is_data,
            needs=tuple(sorted(needs.union(before.needs if before else ()))),
        )
    return found
