"""States as pages show them: resources by module, outputs, and what two states differ in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from landform.kit.crypto import Keyring
from landform.states.document import provider_name
from landform.states.graph import Graph, Node
from landform.states.models import StateOutput, StateStatus, StateVersion
from landform.states.queries import output_value

_MOST: Final = 2000  # resources listed
_LONGEST: Final = 2000  # characters of an output


@dataclass(frozen=True, kw_only=True)
class Row:
    """One version of the list; the second and the first are what is compared unless told."""

    id: str
    serial: int
    author: str
    run_id: str | None
    resource_count: int
    size_bytes: int | None
    created_at: datetime
    is_current: bool
    is_offered: bool
    is_intermediate: bool
    is_first: bool
    is_second: bool

    @property
    def key(self) -> str:
        """Return what names the row on its page."""
        return self.id


def rows_of(
    states: Sequence[StateVersion], current_id: str | None, authors: Mapping[str, str]
) -> list[Row]:
    """Return the rows of the list; `authors` are names by the states' ids."""
    return [
        Row(
            id=each.id,
            serial=each.serial,
            author=authors[each.id],
            run_id=each.run_id,
            resource_count=each.resource_count,
            size_bytes=each.size_bytes,
            created_at=each.created_at,
            is_current=each.id == current_id,
            is_offered=each.status is StateStatus.OFFERED,
            is_intermediate=each.is_intermediate,
            is_first=number == 0,
            is_second=number == min(1, len(states) - 1),
        )
        for number, each in enumerate(states)
    ]


@dataclass(frozen=True)
class Resource:
    """A resource of a state, all its instances together."""

    address: str
    kind: str
    module: str
    provider: str
    count: int
    is_data: bool


def resources_of(listed: Iterable[Mapping[str, Any]]) -> list[Resource]:
    """Return the resources of a state by module and address."""
    found = []
    for each in listed:
        is_data = each.get("mode") == "data"
        module = str(each.get("module") or "root")
        prefix = "" if module == "root" else f"module.{module}."
        name = f"{'data.' if is_data else ''}{each.get('type')}.{each.get('name')}"
        found.append(
            Resource(
                address=f"{prefix}{name}",
                kind=str(each.get("type")),
                module=module,
                provider=provider_name(str(each.get("provider") or "")),
                count=int(each.get("count") or 0),
                is_data=is_data,
            )
        )
    return sorted(found, key=lambda one: (one.module != "root", one.module, one.address))[:_MOST]


@dataclass(frozen=True)
class Module:
    """A module of a graph and its own resources.

    Attributes:
        address: `module.a.module.b`; empty for the root.
    """

    address: str
    nodes: tuple[Node, ...]


def modules_of(graph: Graph) -> list[Module]:
    """Return the graph's modules with their resources, the root first."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(node.module, []).append(node)
    return [Module(address, tuple(nodes)) for address, nodes in sorted(found.items())]


def by_kind(resources: Sequence[Resource]) -> list[tuple[str, int]]:
    """Return how many instances there are of each type, most first."""
    counted: Counter[str] = Counter()
    for each in resources:
        if not each.is_data:
            counted[each.kind] += each.count
    return counted.most_common(12)


@dataclass(frozen=True)
class Output:
    """An output; the value of a sensitive one is not shown."""

    name: str
    kind: str
    value: str
    sensitive: bool


def by_module(resources: Sequence[Resource]) -> list[tuple[str, int]]:
    """Return how many instances there are in each module, most first."""
    counted: Counter[str] = Counter()
    for each in resources:
        if not each.is_data:
            counted[each.module] += each.count
    return counted.most_common(12)


def outputs_of(keyring: Keyring, rows: Sequence[StateOutput], as_text: Any) -> list[Output]:
    """Return the outputs of a state the caller may read."""
    found = []
    for row in rows:
        value = "" if row.sensitive else as_text(output_value(keyring, row))
        if len(value) > _LONGEST:
            value = f"{value[:_LONGEST]}… ({len(value)} characters)"
        found.append(Output(row.name, row.kind, value, row.sensitive))
    return found
