"""Columns that hold encrypted values: the type says so, and for which place they are sealed.

Rotation of keys finds its columns by this type, in the tables themselves; a column of bytes that
is none of these must be on the list of those that hold no secret (tests/keys/test_columns.py).
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, LargeBinary, MetaData, Table
from sqlalchemy.types import TypeDecorator

_FORMATTER: Final = string.Formatter()


class Sealed(TypeDecorator[bytes]):
    """A value sealed by `crypto.Keyring` for the place that its row's other columns make up.

    Args:
        place: such as `variables/{id}`; in braces names of columns of the same row that never
            change.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def place_of(self, row: Mapping[str, Any]) -> str:
        """Return the place of the value in a row with these columns."""
        return self.place.format(**row)

    @property
    def columns(self) -> list[str]:
        """The names of the columns that the place is made of."""
        return [name for _, name, _, _ in _FORMATTER.parse(self.place) if name]


@dataclass(frozen=True)
class SealedColumn:
    """One column that holds sealed values."""

    table: Table
    column: Column[Any]
    kind: Sealed

    @property
    def name(self) -> str:
        """Table and column, for people."""
        return f"{self.table.name}.{self.column.name}"


def sealed_columns(metadata: MetaData) -> list[SealedColumn]:
    """Return every sealed column of the tables."""
    return [
        SealedColumn(table, column, column.type)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Sealed)
    ]
