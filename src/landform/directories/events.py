"""What happens to directories and by their word. No event holds a secret."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class DirectoryCreated(Event):
    """A directory can push people here."""

    name: str


@dataclass(frozen=True, kw_only=True)
class DirectoryDeleted(Event):
    """A directory's token works no more; whom it pushed stay."""

    name: str


@dataclass(frozen=True, kw_only=True)
class PersonProvisioned(Event):
    """A directory says that a user, the subject, is one of its people.

    Attributes:
        is_new: the user was made for it.
    """

    directory_id: str
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class PersonDeprovisioned(Event):
    """A directory says that a user, the subject, has left."""

    directory_id: str


@dataclass(frozen=True, kw_only=True)
class PersonReprovisioned(Event):
    """A directory says that a user, the subject, is there again."""

    directory_id: str
