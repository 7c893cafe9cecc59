"""Terraform's state file, as far as we read it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.kit.errors import InvalidError
from landform.states.document import kind_of, md5_of, object_ids, parse
from tests.files import make_state, output, resource


def test_what_a_state_holds_is_read() -> None:
    raw = make_state(
        7,
        outputs={"a": output("b", sensitive=True)},
        resources=[resource("one", instances=3), resource("two", mode="data")],
    )
    document = parse(raw)
    assert (document.serial, document.lineage, document.terraform_version) == (
        7,
        "lineage-1",
        "1.11.4",
    )
    assert document.md5 == md5_of(raw)
    assert document.outputs["a"].sensitive
    assert document.managed_count == 3
    assert document.resources[0] == {
        "name": "one",
        "type": "terraform_data",
        "mode": "managed",
        "count": 3,
        "module": "root",
        "provider": 'provider["terraform.io/builtin/terraform"]',
    }


def test_a_module_is_named_without_its_keyword() -> None:
    raw = make_state(resources=[{**resource(), "module": "module.net.module.inner"}])
    assert parse(raw).resources[0]["module"] == "net.inner"


def test_a_state_with_nothing_in_it_is_one() -> None:
    document = parse(b'{"version": 4}')
    assert (document.serial, document.resources, document.outputs) == (0, [], {})


@pytest.mark.parametrize("serial", [-1, 2**63, 10**30])
def test_a_serial_that_no_state_has_is_refused(serial: int) -> None:
    with pytest.raises(InvalidError, match="is not a serial"):
        parse(make_state(serial))


@given(st.binary(max_size=200))
def test_what_is_no_state_is_refused_whatever_it_is(raw: bytes) -> None:
    with pytest.raises(InvalidError):
        parse(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_document_of_another_form_is_read_or_refused(value: Any) -> None:
    raw = json.dumps({"version": 4, "outputs": value, "resources": value}).encode()
    try:
        document = parse(raw)
    except InvalidError:
        return
    assert isinstance(document.outputs, dict)


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("string", "a", "string"),
        ("number", 1, "number"),
        ("bool", True, "bool"),
        (["list", "string"], [], "array"),
        (["set", "string"], [], "array"),
        (["tuple", ["string"]], ["a"], "array"),
        (["map", "string"], {}, "map"),
        (["object", {"a": "string"}], {"a": "b"}, "map"),
        ("dynamic", True, "bool"),
        ("dynamic", 1.5, "number"),
        (None, [1], "array"),
        (None, {"a": 1}, "map"),
        ([], None, "string"),
    ],
)
def test_a_type_has_a_short_name(kind: Any, value: Any, name: str) -> None:
    assert kind_of(kind, value) == name


def test_objects_are_found_by_their_addresses() -> None:
    raw = make_state(
        resources=[
            {
                **resource("many"),
                "module": "module.net",
                "instances": [
                    {"index_key": 0, "attributes": {"id": "a"}},
                    {"index_key": "x", "attributes": {"id": "b"}},
                ],
            },
            resource("seen", mode="data"),
            {**resource("bare"), "instances": [{"attributes": {}}]},
        ]
    )
    assert object_ids(raw) == {
        "module.net.terraform_data.many[0]": frozenset({"a"}),
        'module.net.terraform_data.many["x"]': frozenset({"b"}),
        "terraform_data.bare": frozenset(),
    }
    assert object_ids(base64.b64encode(raw)) == {}
