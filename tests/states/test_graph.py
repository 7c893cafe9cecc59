"""What of a state depends on what."""

from typing import Any

import msgspec
import pytest

from landform.kit.errors import InvalidError
from landform.states import graph
from landform.states.graph import graph_of
from tests.files import make_state, resource


def needing(name: str, *needs: str, module: str = "", count: int = 1) -> dict[str, Any]:
    """Return a resource of which every instance depends on these."""
    made = resource(name, instances=count)
    for instance in made["instances"]:
        instance["dependencies"] = list(needs)
        instance["attributes"]["password"] = "hush-hush-hush"
    return {**made, "module": module} if module else made


def test_instances_of_a_resource_and_of_its_modules_are_one_node() -> None:
    raw = make_state(
        resources=[
            needing("vpc"),
            needing("a", "terraform_data.vpc", module='module.net["x.y"].module.in[0]', count=2),
            needing("a", "terraform_data.vpc", module='module.net["]"].module.in[1]'),
        ]
    )
    vpc, inner = graph_of(raw).nodes
    assert (vpc.address, vpc.module, vpc.needs) == ("terraform_data.vpc", "", ())
    assert inner.address == "module.net.module.in.terraform_data.a"
    assert (inner.module, inner.count, inner.provider) == (
        "module.net.module.in",
        3,
        "builtin/terraform",
    )
    assert inner.needs == ("terraform_data.vpc",)


def test_what_the_state_does_not_hold_and_the_resource_itself_is_nothing_it_needs() -> None:
    (node,) = graph_of(make_state(resources=[needing("a", "gone.away", "terraform_data.a")])).nodes
    assert node.needs == ()


def test_no_value_of_an_attribute_is_in_a_graph() -> None:
    found = graph_of(make_state(resources=[needing("a"), resource("read", mode="data")]))
    assert b"hush" not in msgspec.json.encode(found.nodes)
    assert [(node.address, node.is_data) for node in found.nodes] == [
        ("data.terraform_data.read", True),
        ("terraform_data.a", False),
    ]


def test_a_graph_has_a_bounded_number_of_nodes_and_arrows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_NODES", 10)
    monkeypatch.setattr(graph, "MOST_EDGES", 12)
    names = [f"terraform_data.n{number:02}" for number in range(20)]
    found = graph_of(make_state(resources=[needing(f"n{n:02}", *names[:n]) for n in range(20)]))
    assert (len(found.nodes), found.left_out) == (10, 10)
    assert sum(len(node.needs) for node in found.nodes) == 12


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"resources": 3}', b'{"resources":' + b"[" * 100_000]
)
def test_what_is_no_state_has_no_graph(raw: bytes) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        graph_of(raw)
