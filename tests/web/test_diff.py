"""What changes inside a resource: every change is told, and what moved along is no change."""

import gc
from typing import Any

import msgspec

from landform.web.present import plan as plans
from landform.web.present.diff import Attribute, rows_of
from landform.web.present.pairing import compared


def changed(before: Any, after: Any, **marks: Any) -> list[tuple[str, str]]:
    """Return path and kind of what changed."""
    rows = rows_of({"before": before, "after": after, **marks}).changed
    return [(row.path, row.kind) for row in rows]


def read(change: dict[str, Any], **entry: Any) -> plans.Change:
    """Return the one change of a plan."""
    given = {"address": "a.b", "change": change, **entry}
    return plans.read(msgspec.json.encode({"resource_changes": [given]})).changes[0]


def test_changes_are_told_however_much_stays() -> None:
    before = {f"key-{number:04}": number for number in range(1000)}
    rows = rows_of({"before": before, "after": {**before, "key-0999": 0, "key-0998": 0}})
    assert [row.path for row in rows.changed] == ["key-0998", "key-0999"]
    assert (rows.more, rows.same_count, len(rows.same)) == (0, 998, 400)
    assert rows_of({"before": before, "after": dict.fromkeys(before, "x")}).more == 600


def test_an_element_that_goes_is_the_only_change_of_a_list() -> None:
    subnets = [f"10.0.{number}.0/24" for number in range(20)]
    assert changed({"cidrs": subnets}, {"cidrs": subnets[1:]}) == [("cidrs[0]", "delete")]
    assert changed({"cidrs": subnets[1:]}, {"cidrs": subnets}) == [("cidrs[0]", "create")]
    other = [*subnets[:5], "x", *subnets[6:]]
    assert changed({"cidrs": subnets}, {"cidrs": other}) == [("cidrs[5]", "update")]


def test_blocks_are_compared_with_those_of_their_name() -> None:
    rules = [{"name": f"rule-{number}", "port": number} for number in range(5)]
    after = [*rules[1:3], {**rules[3], "port": 0}, rules[4]]
    assert changed({"rules": rules}, {"rules": after}) == [
        ("rules[0].name", "delete"),
        ("rules[0].port", "delete"),
        ("rules[2].port", "update"),
    ]


def test_long_lists_that_have_nothing_in_common_are_compared_by_position() -> None:
    before, after = list(range(1000)), list(range(1000, 2000))
    assert len(changed({"n": before}, {"n": after})) == 400
    assert rows_of({"before": {"n": before}, "after": {"n": after}}).changed_count == 1000


def test_keys_that_are_no_names_are_quoted() -> None:
    before = {"tags": {"a.b/c": 1, 'd"e': 1, "plain-1": 1}}
    after = {"tags": {"a.b/c": 2, 'd"e': 2, "plain-1": 2}}
    paths = [path for path, _ in changed(before, after)]
    assert paths == ['tags["a.b/c"]', 'tags["d\\"e"]', "tags.plain-1"]


def test_all_that_changes_below_what_forces_a_replacement_says_so() -> None:
    change = {
        "before": {"triggers": {"ami": 1, "size": 1}, "set": [{"port": 1}], "other": 1},
        "after": {"triggers": {"ami": 2, "size": 1}, "set": [{"port": 2}], "other": 2},
        "replace_paths": [["triggers"], ["set", 3, "port"]],
    }
    forcing = [row.path for row in rows_of(change).changed if row.forces]
    assert forcing == ["set[0].port", "triggers.ami"]


def test_an_output_that_is_known_after_apply_says_so() -> None:
    changes: dict[str, Any] = {
        "new": {"actions": ["create"], "before": None, "after_unknown": True},
        "old": {"actions": ["update"], "before": "x", "after_unknown": True},
    }
    outputs = plans.read(msgspec.json.encode({"output_changes": changes})).outputs
    unknown = "(known after apply)"
    assert [list(each.rows.changed) for each in outputs] == [
        [Attribute(path="new", kind="create", after=unknown)],
        [Attribute(path="old", kind="update", before='"x"', after=unknown)],
    ]


def test_a_sensitive_output_says_that_it_changes_and_not_to_what() -> None:
    change = {
        "actions": ["update"],
        "before": "old-secret",
        "after": "new-secret",
        "before_sensitive": True,
        "after_sensitive": True,
    }
    (output,) = plans.read(msgspec.json.encode({"output_changes": {"key": change}})).outputs
    (row,) = output.rows.changed
    assert (row.path, row.before, row.after) == ("key", "(sensitive)", "(sensitive)")


def test_a_change_says_in_which_order_and_what_becomes_of_what_exists() -> None:
    assert read({"actions": ["create", "delete"]}).notes == (
        "the new one is created before the old one is destroyed",
    )
    assert read({"actions": ["delete", "create"]}).notes == ()
    assert "stays" in read({"actions": ["forget"]}).notes[0]
    assert "object 1a2b" in read({"actions": ["delete"]}, deposed="1a2b").notes[0]
    imported = {"actions": ["no-op"], "importing": {"identity": {"region": "eu-1", "name": "x"}}}
    assert read(imported).notes == ("imported by region eu-1, name x",)


def test_changes_are_found_by_what_is_in_them_and_come_in_the_order_of_their_numbers() -> None:
    entries = [
        {"address": f"a.b[{at}]", "change": {"actions": ["create"], "after": {"Size": f"x{at}y"}}}
        for at in (10, 9, 1)
    ]
    plan = plans.read(msgspec.json.encode({"resource_changes": entries}))
    found = plans.narrowed(plan.changes, action="", text="")
    assert [each.address for each in found] == ["a.b[1]", "a.b[9]", "a.b[10]"]
    assert [c.address for c in plans.narrowed(plan.changes, action="", text="X10")] == ["a.b[10]"]
    assert plans.narrowed(plan.changes, action="", text="actions") == []


def test_no_collection_of_garbage_walks_over_the_changes_of_a_plan() -> None:
    entries = [{"address": f"a.b[{at}]", "change": {"actions": ["create"]}} for at in range(100)]
    plan = plans.read(msgspec.json.encode({"resource_changes": entries, "resource_drift": entries}))
    gc.collect()
    assert not any(gc.is_tracked(each) for each in (*plan.changes, *plan.drift))
    assert not any(gc.is_tracked(each.raw) for each in plan.changes)


def test_a_long_text_shows_the_lines_around_what_changed() -> None:
    before = [f"line {number}" for number in range(1000)]
    after = [*before[:500], "other", *before[501:]]
    assert compared("\n".join(before), "\n".join(after)) == [
        ("…", "497 lines unchanged"),
        *((" ", line) for line in before[497:500]),
        ("-", "line 500"),
        ("+", "other"),
        *((" ", line) for line in before[501:504]),
        ("…", "496 lines unchanged"),
    ]
    assert compared("a\nb\n", "b\n") == [("-", "a"), (" ", "b")]
