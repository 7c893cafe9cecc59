"""Versions of the tools and what satisfies what. Pure: no disk, no network.

The syntax is Terraform's, of its reference page "Version constraints". Facts taken from there:
a pre-release is chosen only by `=`, never by a range; `~>` lets the rightmost number given grow.
"""

import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from typing import Final

from landform.kit.errors import InvalidError

LATEST: Final = "latest"
_LONGEST: Final = 256  # characters of a requirement; the longest in the wild has about 60
_WHOLE: Final = 3  # numbers in a full version
_VERSION: Final = re.compile(
    r"v?([0-9]{1,6})(?:\.([0-9]{1,6}))?(?:\.([0-9]{1,6}))?"
    r"(?:-([0-9A-Za-z-]{1,64}(?:\.[0-9A-Za-z-]{1,64}){0,8}))?"
)
_TERM: Final = re.compile(r"(=|!=|>=|<=|~>|>|<)?\s*([^\s=!<>~]+)")


class Tool(StrEnum):
    """The program that plans and applies."""

    TERRAFORM = "terraform"
    TOFU = "tofu"

    @property
    def product(self) -> str:
        """The name people know it by."""
        return "OpenTofu" if self is Tool.TOFU else "Terraform"


@total_ordering
@dataclass(frozen=True)
class Version:
    """One release. Order is that of semver.org, so a pre-release comes before its release.

    Attributes:
        numbers: major, minor, patch.
        pre: the identifiers after the hyphen, such as `("beta1",)`; empty for a release.
    """

    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it as it is in a URL or a requirement."""
        return ".".join(map(str, self.numbers)) + ("-" + ".".join(self.pre) if self.pre else "")

    def __lt__(self, other: "Version") -> bool:
        """Order by semver.org."""
        return self._rank() < other._rank()

    def _rank(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        """Numbers count as numbers and come before words."""
        parts = tuple(
            (False, int(part), "") if part.isdigit() else (True, 0, part) for part in self.pre
        )
        return self.numbers, not self.pre, parts


def parse_version(text: str) -> Version:
    """Read `1.9.8`, `v1.9.8`, `1.10.0-beta1`; numbers left out are 0.

    Raises:
        InvalidError: it is not a version.
    """
    return _read(text)[0]


def parse_versions(texts: Iterable[str]) -> set[Version]:
    """Read those of `texts` that are full versions and pass over the rest, as an index needs."""
    read = set()
    for text in texts:
        match = _VERSION.fullmatch(text)
        if match and match[3] and not _has_padding(match[4]):
            read.add(parse_version(text))
    return read


def _read(text: str) -> tuple[Version, int]:
    """Read a version and count the numbers given."""
    match = _VERSION.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None or _has_padding(match[4]):
        raise InvalidError(
            f"{_quoted(text)} is not a version: write three numbers, such as 1.9.8 or 1.10.0-beta1."
        )
    major, minor, patch = (int(number or 0) for number in match.groups()[:_WHOLE])
    given = sum(number is not None for number in match.groups()[:_WHOLE])
    return Version((major, minor, patch), tuple(match[4].split(".")) if match[4] else ()), given


def _has_padding(pre: str | None) -> bool:
    """semver.org allows no `01`: it would be equal to `1` yet not the same."""
    parts = (pre or "").split(".")
    return any(part.isdigit() and part != "0" and part.startswith("0") for part in parts)


def _quoted(text: str) -> str:
    """For a message: never more of the user's text than a line holds."""
    shown = 60
    return repr(text) if len(text) <= shown else repr(text[:shown]) + "…"


_COMPARISONS: Final[Mapping[str, Callable[[Version, Version], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Term:
    """One condition of a requirement.

    Attributes:
        sign: `=`, `!=`, `>`, `>=`, `<`, `<=` or `~>`.
        given: how many of the version's numbers were written, 1 to 3; only `~>` asks.
    """

    sign: str
    version: Version
    given: int = _WHOLE

    def holds(self, version: Version) -> bool:
        """Compare, pre-releases in their place."""
        if self.sign == "~>":
            kept = self.given - 1
            same = version.numbers[:kept] == self.version.numbers[:kept]
            return same and version >= self.version
        return _COMPARISONS[self.sign](version, self.version)


@dataclass(frozen=True)
class Requirement:
    """What a workspace asks for; no terms means the latest release."""

    terms: tuple[Term, ...] = ()

    @property
    def exact(self) -> Version | None:
        """The one version that satisfies it, if the text names it."""
        named = [term.version for term in self.terms if term.sign == "="]
        return named[0] if named and self.allows(named[0]) else None

    def allows(self, version: Version) -> bool:
        """Whether every term holds; a pre-release must be named with `=`."""
        if version.pre and all(term.sign != "=" for term in self.terms):
            return False
        return all(term.holds(version) for term in self.terms)


def parse_requirement(text: str) -> Requirement:
    """Read `1.11.4`, `~> 1.9`, `>= 1.6, < 2.0` or `latest`.

    Raises:
        InvalidError: it is none of these; the message quotes the part that is wrong.
    """
    if text.strip().lower() == LATEST:
        return Requirement()
    if len(text) > _LONGEST:
        raise InvalidError(
            f"The version requirement has {len(text)} characters; at most {_LONGEST} are accepted."
        )
    return Requirement(tuple(_term(part) for part in text.split(",")))


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise InvalidError(
            f"{_quoted(text.strip())} is not a version requirement: write a version (1.11.4), "
            "conditions separated by commas (~> 1.9, or >= 1.6, < 2.0), or latest; "
            "the operators are =, !=, >, >=, <, <= and ~>."
        )
    version, given = _read(match[2])
    return Term(match[1] or "=", version, given)


def newest(versions: Iterable[Version], requirement: Requirement) -> Version | None:
    """Pick the newest that satisfies, or None when none does."""
    return max(filter(requirement.allows, versions), default=None)


def nearest(versions: Iterable[Version], wanted: Version) -> list[Version]:
    """Up to two releases on either side of `wanted`, oldest first, to suggest instead."""
    ordered = sorted(version for version in set(versions) if not version.pre or wanted.pre)
    place = bisect_left(ordered, wanted)
    return [version for version in ordered[max(0, place - 2) : place + 2] if version != wanted]
