import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.kit.errors import InvalidError
from landform.toolchain.versions import (
    Requirement,
    Term,
    Version,
    nearest,
    newest,
    parse_requirement,
    parse_version,
    parse_versions,
)

numbers = st.integers(0, 20)
words = st.one_of(
    st.integers(0, 30).map(str), st.from_regex(r"(alpha|beta|rc)[0-9]{0,2}", fullmatch=True)
)
releases = st.builds(Version, st.tuples(numbers, numbers, numbers))
versions = st.builds(
    Version, st.tuples(numbers, numbers, numbers), st.lists(words, max_size=2).map(tuple)
)
signs = st.sampled_from(["=", "!=", ">", ">=", "<", "<=", "~>"])


@given(versions)
def test_a_version_reads_back_as_it_is_written(version: Version) -> None:
    assert parse_version(str(version)) == version
    assert parse_version(f"v{version}") == version


@given(versions, versions, versions)
def test_the_order_is_total(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (one == two) + (one > two) == 1
    assert not (one < two < three) or one < three


@given(releases, st.lists(words, min_size=1, max_size=2).map(tuple))
def test_a_prerelease_comes_before_its_release(release: Version, pre: tuple[str, ...]) -> None:
    assert Version(release.numbers, pre) < release


def test_prereleases_are_ordered_as_semver_says() -> None:
    texts = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    ordered = [parse_version(text) for text in [*texts, "1.0.0-rc1", "1.0.0"]]
    assert sorted(ordered[3:] + ordered[:3]) == ordered


@given(signs, versions, versions)
def test_a_range_and_its_opposite_part_all_releases(
    sign: str, bound: Version, version: Version
) -> None:
    opposite = {"=": "!=", ">": "<=", "<": ">=", "!=": "=", "<=": ">", ">=": "<"}.get(sign)
    if opposite:
        assert Term(sign, bound).holds(version) != Term(opposite, bound).holds(version)


@given(signs, releases, st.lists(versions, max_size=12))
def test_the_newest_satisfies_and_nothing_newer_does(
    sign: str, bound: Version, among: list[Version]
) -> None:
    requirement = parse_requirement(f"{sign} {bound}")
    best = newest(among, requirement)
    satisfying = [version for version in among if requirement.allows(version)]
    assert best == (max(satisfying) if satisfying else None)


@given(signs, versions, versions)
def test_a_range_never_chooses_a_prerelease(sign: str, bound: Version, version: Version) -> None:
    allowed = parse_requirement(f"{sign} {bound}").allows(version)
    assert not (allowed and version.pre and sign != "=")


@given(st.lists(st.tuples(signs, releases), min_size=1, max_size=4), releases)
def test_conditions_hold_together_only_when_each_holds(
    conditions: list[tuple[str, Version]], version: Version
) -> None:
    text = ", ".join(f"{sign} {bound}" for sign, bound in conditions)
    each = [parse_requirement(f"{sign}{bound}").allows(version) for sign, bound in conditions]
    assert parse_requirement(text).allows(version) == all(each)


@given(st.text(max_size=40))
def test_any_text_is_a_requirement_or_is_refused_as_invalid(text: str) -> None:
    try:
        requirement = parse_requirement(text)
    except InvalidError as refused:
        assert "such as" in str(refused) or "write a version" in str(refused)  # noqa: PT017
    else:
        assert isinstance(requirement, Requirement)


@pytest.mark.parametrize(
    ("requirement", "allowed", "refused"),
    [
        ("1.11.4", ["1.11.4"], ["1.11.3", "1.11.5", "1.11.4-rc1"]),
        ("1.9", ["1.9.0"], ["1.9.1"]),
        ("= v1.9.8", ["1.9.8"], ["1.9.7"]),
        ("~> 1.9", ["1.9.0", "1.9.8", "1.16.5"], ["1.8.5", "2.0.0", "1.10.0-beta1"]),
        ("~>1.9.2", ["1.9.2", "1.9.10"], ["1.9.1", "1.10.0"]),
        ("~> 1", ["1.0.0", "2.4.0"], ["0.15.5"]),
        (">= 1.6, < 2.0", ["1.6.0", "1.99.0"], ["1.5.7", "2.0.0", "2.0.0-rc1"]),
        (">=1.6,!=1.6.3", ["1.6.2"], ["1.6.3"]),
        ("1.10.0-beta1", ["1.10.0-beta1"], ["1.10.0", "1.10.0-beta2"]),
        ("> 1.10.0-beta1", ["1.10.0"], ["1.10.0-beta2"]),
        ("~> 1.10.0-beta1", ["1.10.0", "1.10.3"], ["1.10.0-beta2", "1.11.0"]),
        (" Latest ", ["1.9.8"], ["1.10.0-beta1"]),
        ("!= 1.9.8", ["1.9.7"], ["1.9.8", "1.10.0-rc1"]),
    ],
)
def test_requirements_mean_what_terraform_means(
    requirement: str, allowed: list[str], refused: list[str]
) -> None:
    parsed = parse_requirement(requirement)
    assert [text for text in allowed if not parsed.allows(parse_version(text))] == []
    assert [text for text in refused if parsed.allows(parse_version(text))] == []


NONSENSE = ["", " ", ",", "1.2,", "newest", "=> 1.2", "== 1.2", "1.2.3.4", "1.x", "~> ", "1_2"]
NONSENSE += [">= 1.6 < 2", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "-1.0.0", "1.0.0+ent", "../1.2.3"]
NONSENSE += ["1.2.3\n4", "\u0661.2.3", "9" * 7, "1." * 200, ",".join(["1.0.0"] * 60)]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(
        InvalidError, match=r"such as 1\.9\.8|write a version|at most 256"
    ) as refused:
        parse_requirement(text)
    assert len(str(refused.value)) < 400


def test_exact_is_the_version_that_the_text_names() -> None:
    assert parse_requirement("1.9.8").exact == parse_version("1.9.8")
    assert parse_requirement("= 1.9.8, >= 1.0").exact == parse_version("1.9.8")
    assert parse_requirement("= 1.9.8, >= 2.0").exact is None
    assert parse_requirement("~> 1.9").exact is None
    assert parse_requirement("latest").exact is None


def test_an_index_is_read_past_what_is_no_version() -> None:
    texts = ["1.9.8", "1.9", "nightly", "1.9.8+ent", "1.10.0-beta1", "1.0.0-01", ""]
    assert parse_versions(texts) == {parse_version("1.9.8"), parse_version("1.10.0-beta1")}


@given(releases, st.sets(releases, max_size=10))
def test_the_nearest_are_next_to_what_was_wanted(wanted: Version, known: set[Version]) -> None:
    near = nearest(known, wanted)
    assert set(near) <= known - {wanted}
    assert near == sorted(near)
    below = [version for version in known if version < wanted]
    assert not below or max(below) in near
    above = [version for version in known if version > wanted]
    assert not above or wanted in known or min(above) in near
