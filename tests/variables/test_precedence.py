"""The order in which HCP Terraform documents variables to win (its page "Variables")."""

from itertools import combinations

import pytest

from landform.contract import Category, Variable
from landform.runs.creation import RunVariable
from landform.runs.inputs import merged
from landform.variables.models import Variable as Row
from landform.variables.models import VariableSet
from landform.variables.precedence import Applied, Candidate, Way, winners
from landform.variables.queries import Given


def _of(way: Way, *, name: str = "set", weight: int = 0, **flags: bool) -> Candidate:
    project_id = "prj-1" if flags.pop("owned", False) else None
    row = VariableSet(
        id=name, name=name, project_id=project_id, is_priority=flags.get("priority", False)
    )
    row.weight = weight
    return Candidate(Row(key="region", category=Category.TERRAFORM), Applied(row, frozenset({way})))


OWN = Candidate(Row(key="region", category=Category.TERRAFORM))
# From what wins to what loses; the command line goes between the fifth and the sixth.
ORDER = (
    _of(Way.GLOBAL, priority=True),
    _of(Way.PROJECT, priority=True),
    _of(Way.WORKSPACE, priority=True),
    _of(Way.PROJECT, priority=True, owned=True),
    _of(Way.WORKSPACE, priority=True, owned=True),
    OWN,
    _of(Way.WORKSPACE, owned=True),
    _of(Way.PROJECT, owned=True),
    _of(Way.WORKSPACE),
    _of(Way.PROJECT),
    _of(Way.GLOBAL),
)


@pytest.mark.parametrize(("first", "second"), list(combinations(range(len(ORDER)), 2)))
def test_what_goes_first_wins_whatever_it_is_found_after(first: int, second: int) -> None:
    name = (Category.TERRAFORM, "region")
    for found in ((ORDER[first], ORDER[second]), (ORDER[second], ORDER[first])):
        assert winners(found) == {name: ORDER[first]}


def test_only_sets_with_priority_beat_the_command_line() -> None:
    assert [each.beats_command_line for each in ORDER] == [True] * 5 + [False] * 6


def test_of_two_sets_on_one_step_the_first_name_by_code_point_wins() -> None:
    names = ["b", "B", "ä", "a"]
    found = winners(_of(Way.PROJECT, name=name) for name in names)
    [winner] = found.values()
    assert winner.source is not None
    assert winner.source.row.name == "B"


def test_weight_goes_before_the_name_and_never_beyond_its_step() -> None:
    heavy, light = _of(Way.GLOBAL, name="z", weight=5), _of(Way.GLOBAL, name="a")
    assert list(winners([light, heavy]).values()) == [heavy]
    assert list(winners([_of(Way.PROJECT, name="a"), heavy]).values()) != [heavy]


def test_a_set_that_comes_in_two_ways_counts_by_the_one_that_takes_it_furthest() -> None:
    ways = frozenset({Way.PROJECT, Way.WORKSPACE})
    assert Applied(VariableSet(name="s", is_priority=False, weight=0), ways).way is Way.WORKSPACE
    assert Applied(VariableSet(name="s", is_priority=True, weight=0), ways).way is Way.PROJECT


def test_names_of_two_categories_are_not_in_each_others_way() -> None:
    env = Candidate(Row(key="region", category=Category.ENV))
    assert len(winners([OWN, env])) == 2


def test_what_was_given_with_a_run_beats_all_but_priority() -> None:
    def given(key: str, *, beats: bool, category: Category = Category.TERRAFORM) -> Given:
        return Given(Variable(key=key, value="set", category=category), beats)

    configured = [
        given("fixed", beats=True),
        given("free", beats=False),
        given("free", beats=False, category=Category.ENV),
    ]
    own = [RunVariable("fixed", '"run"'), RunVariable("free", '"run"'), RunVariable("new", "1")]
    used = {(each.category, each.key): each.value for each in merged(configured, own)}
    assert used == {
        (Category.TERRAFORM, "fixed"): "set",
        (Category.TERRAFORM, "free"): '"run"',
        (Category.ENV, "free"): "set",
        (Category.TERRAFORM, "new"): "1",
    }
