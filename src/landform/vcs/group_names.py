"""How groups of a provider are written: `KIND:NAME`, such as `permission:write`. Pure."""

from collections.abc import Mapping
from typing import ClassVar

from landform.kit.errors import InvalidError
from landform.vcs.changes import Person
from landform.vcs.facts import Repository


def read_group(group: str, kinds: Mapping[str, str], *, provider: str) -> tuple[str, str]:
    """Return kind and name of a group.

    Args:
        kinds: the kinds there are, by what is written behind them: `{"team": "ORGANIZATION/TEAM"}`.

    Raises:
        InvalidError: it is of none of these kinds.
    """
    kind, _, name = group.strip().partition(":")
    if kind not in kinds or not name.strip():
        forms = " or ".join(f"{each}:{form}" for each, form in kinds.items())
        raise InvalidError(f"A group of {provider} is written {forms}.", pointer="name")
    return kind, name.strip()


class NoGroups:
    """Of providers that cannot tell who is in a group."""

    provider: ClassVar[str]

    def check_group(self, group: str) -> str:
        """See VcsProvider."""
        raise InvalidError(
            f"{self.provider} cannot be asked who is in a group; say of each person who they are.",
            pointer="name",
        )

    async def is_in_group(self, repository: Repository, person: Person, group: str) -> bool:
        """See VcsProvider."""
        self.check_group(group)
        return False
