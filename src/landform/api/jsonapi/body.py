"""What a request's body says, read as loosely as the Terraform CLI needs.

Facts of the protocol: `actions/lock` sends an empty `type`; `actions/apply` sends plain `{}` or
`{"comment": …}` under the JSON:API content type; `actions/unlock` sends no body; tags are created
by `attributes` inside a linkage.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET

from landform.api.jsonapi.errors import wrong
from landform.api.jsonapi.typed import read_struct

A = TypeVar("A", bound=msgspec.Struct)
B = TypeVar("B", bound=msgspec.Struct)


@dataclass(frozen=True)
class Linkage:
    """One end of a relationship in a body.

    Attributes:
        kind: the type as sent; may be empty.
        id: empty where the body describes a resource by its attributes instead.
        attributes: those written inside the linkage.
        pointer: where in the body it is.
    """

    kind: str
    id: str
    attributes: Mapping[str, Any]
    pointer: str

    def read(self, model: type[B]) -> B:
        """Return the attributes inside the linkage as a `model`.

        Raises:
            DocumentError: they are not one.
        """
        return read_struct(model, self.attributes, f"{self.pointer}/attributes")


Linked: TypeAlias = Linkage | tuple[Linkage, ...] | None


@dataclass(frozen=True)
class Body(Generic[A]):
    """One resource as a client describes it.

    Attributes:
        attributes: what the input declares; a field that allows UNSET tells absent from null.
        id: as sent; empty when it was not.
        relationships: those that the input declares and the body mentions, as the input names
            them.
        spelled: the relationships the input declares, as the dialect spells them; to ask for
            another is our own mistake.
        pointer: where in the body it is.
    """

    attributes: A
    _: KW_ONLY
    id: str = ""
    relationships: Mapping[str, Linked] = field(default_factory=dict)
    spelled: Mapping[str, str] = field(default_factory=dict)
    pointer: str = "/data"

    def mentions(self, name: str) -> bool:
        """Tell a relationship that is set, maybe to null or to nothing, from one left out."""
        self._check(name)
        return name in self.relationships

    def one(self, name: str) -> Linkage | None:
        """Return a to-one relationship; None when it is null or left out."""
        self._check(name)
        linked = self.relationships.get(name)
        return linked if isinstance(linked, Linkage) else None

    def need(self, name: str) -> Linkage:
        """Return a to-one relationship that must be there.

        Raises:
            DocumentError: it is not.
        """
        linked = self.one(name)
        if linked is None or not linked.id:
            spelled = self.spelled[name]
            raise wrong(
                f"{self.pointer}/relationships/{spelled}",
                f'The relationship {spelled} is required: {{"data": {{"type": …, "id": …}}}}.',
            )
        return linked

    def many(self, name: str) -> tuple[Linkage, ...]:
        """Return a to-many relationship; () when it is empty or left out."""
        self._check(name)
        linked = self.relationships.get(name)
        return linked if isinstance(linked, tuple) else ()

    def _check(self, name: str) -> None:
        if name not in self.spelled:
            raise LookupError(f"The input does not declare the relationship {name}.")


def given(attributes: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that were sent, by their Python names: what a PATCH changes."""
    fields = ((name, getattr(attributes, name)) for name in attributes.__struct_fields__)
    return {name: value for name, value in fields if value is not UNSET}
