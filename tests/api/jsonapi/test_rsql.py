"""RSQL read into conditions, and conditions held against texts."""

import time

import pytest

from landform.api.jsonapi.errors import QueryError
from landform.api.jsonapi.rsql import Field, parse
from landform.kit.errors import MalformedError
from landform.kit.selection import All, Comparator, Comparison, OneOf, matches

FIELDS = {"name": Field("title"), "kind": Field("kind", lambda text: (text.lower(),))}
FIELDS["state"] = Field("status", lambda text: {"open": ("new", "old")}.get(text, (text,)))


def read(text: str) -> object:
    return parse(text, FIELDS, parameter="filter")


def one(field: str, comparator: str, *values: str) -> Comparison:
    shown = next(name for name, each in FIELDS.items() if each.name == field)
    return Comparison(field, Comparator(comparator), values, shown)


def test_and_binds_more_than_or_and_parentheses_more_than_both() -> None:
    a, b, c = (one("title", "==", value) for value in "abc")
    assert read("name==a;name==b,name==c") == OneOf((All((a, b)), c))
    assert read("name==a;(name==b,name==c)") == All((a, OneOf((b, c))))


def test_names_and_values_are_the_domains() -> None:
    assert read("kind=in=(TERRAFORM,'ENV')") == one("kind", "=in=", "terraform", "env")


def test_one_word_may_stand_for_several_of_the_domains() -> None:
    assert read("state==open") == one("status", "=in=", "new", "old")
    assert read("state!=open") == one("status", "=out=", "new", "old")
    assert read("state=in=(open,shut)") == one("status", "=in=", "new", "old", "shut")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("name==a-b_c.d*", "a-b_c.d*"),
        ("name=='a b; c, (d)'", "a b; c, (d)"),
        ('name=="it\'s"', "it's"),
        (r"name=='it\'s'", "it's"),
        (r"name=='a\\b'", "a\\b"),
        ("name==''", ""),
        (" name == 'é' ", "é"),
    ],
)
def test_values_are_plain_or_quoted(written: str, value: str) -> None:
    assert read(written) == one("title", "==", value)


@pytest.mark.parametrize(
    ("written", "comparator"), [("<", "=lt="), ("<=", "=le="), (">", "=gt="), (">=", "=ge=")]
)
def test_signs_stand_for_operators(written: str, comparator: str) -> None:
    assert read(f"name{written}a") == one("title", comparator, "a")


@pytest.mark.parametrize(
    "text", ["", ";", "name", "name==", "name=a", "==a", "name==a;", "name==a)", "name=in=()"]
)
def test_what_is_no_rsql_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="cannot be read at character"):
        read(text)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("name==Plan", True),
        ("name==plan", False),
        ("name==*an", True),
        ("name==P*n", True),
        ("name==P*a*n", True),
        ("name==*x*", False),
        ("name==Pl*lan", False),
        ("name!=Pl*", False),
        ("name=in=(Plan,x)", True),
        ("name=in=(P*)", False),
        ("name=out=(x)", True),
        ("name=isnull=false", True),
        ("name==x,name==Plan;kind==A", True),
    ],
)
def test_a_condition_holds_for_a_text_or_does_not(text: str, holds: bool) -> None:
    row = {"title": "Plan", "kind": "a"}
    assert matches(parse(text, FIELDS, parameter="filter"), row.__getitem__) is holds


def test_a_text_has_no_order_here() -> None:
    with pytest.raises(MalformedError, match="has no =lt="):
        matches(parse("name<a", FIELDS, parameter="filter"), {"title": "b"}.__getitem__)


def test_a_pattern_of_many_stars_is_soon_done() -> None:
    pattern, text = "*a" * 2000 + "b", "a" * 100_000
    condition = Comparison("title", Comparator.EQUAL, (pattern,), "name")
    started = time.monotonic()
    assert not matches(condition, {"title": text}.__getitem__)
    assert time.monotonic() - started < 15
