from typing import Any

import pytest

from tests.api.oracle import Oracle, find_oracle


@pytest.fixture
def oracle() -> Oracle:
    found = find_oracle()
    if found is None:
        pytest.skip("There is no copy of the TFE description here; see LANDFORM_TFE_OPENAPI.")
    return found


def run(**attributes: Any) -> dict[str, Any]:
    return {"data": {"id": "run-1", "type": "runs", "attributes": attributes}}


def test_an_answer_as_described_has_no_faults(oracle: Oracle) -> None:
    document = run(**{"status": "planned", "auto-apply": False, "replace-addrs": None})
    assert oracle.faults("GET", "/api/v2/runs/run-1?include=plan", document) == []


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"auto-apply": "no"}, "runs.auto-apply is 'no', not of type boolean"),
        ({"auto-apply": None}, "runs.auto-apply is null"),
        ({"replace-addrs": [1]}, "runs.replace-addrs[0] is 1, not of type string"),
        ({"actions": {"is-cancelable": 1}}, "runs.actions.is-cancelable is 1, not of type boolean"),
    ],
)
def test_an_attribute_of_the_wrong_type_is_told(
    oracle: Oracle, attributes: dict[str, Any], fault: str
) -> None:
    assert oracle.faults("GET", "/api/v2/runs/run-1", run(**attributes)) == [fault]


def test_a_type_that_is_none_is_told(oracle: Oracle) -> None:
    document = {**run(), "included": [{"id": "x", "type": "novels", "attributes": {}}]}
    assert oracle.faults("GET", "/api/v2/runs/run-1", document) == ["novels is no resource type"]


def test_a_route_that_answers_with_another_type_is_told(oracle: Oracle) -> None:
    [fault] = oracle.faults("GET", "/api/v2/organizations/o/workspaces", {"data": [run()["data"]]})
    assert fault.endswith("gives runs, not ['workspaces']")


def test_a_relationship_to_another_type_is_told(oracle: Oracle) -> None:
    document = run()
    link = {"data": {"type": "plans", "id": "plan-1"}}
    document["data"]["relationships"] = {"workspace": link}
    [fault] = oracle.faults("GET", "/api/v2/runs/run-1", document)
    assert fault == "runs.workspace links plans, not ['workspaces']"


def test_a_route_that_is_not_described_is_not_judged(oracle: Oracle) -> None:
    assert oracle.faults("GET", "/api/v2/ping", {"data": None}) == []


def test_an_unknown_attribute_is_no_fault_but_can_be_asked_for(oracle: Oracle) -> None:
    document = run(mood="fine")
    assert oracle.faults("GET", "/api/v2/runs/run-1", document) == []
    assert oracle.unknown_attributes(document) == {"runs.mood"}
