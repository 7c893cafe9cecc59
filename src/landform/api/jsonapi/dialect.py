"""What all resources of one API have in common, and the register of them."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import Request

from landform.api.jsonapi.naming import kebab
from landform.api.jsonapi.shape import Shape

C = TypeVar("C")


def own_origin(request: Request) -> str:
    """Return `scheme://host` as the client wrote it; behind a proxy, configure another."""
    return f"{request.url.scheme}://{request.url.netloc}"


@dataclass(frozen=True)
class Dialect(Generic[C]):
    """One JSON:API: how it spells names, how it pages, and the resources declared in it.

    `C` is the dialect's context of a request, made by a dependency of its own: whatever readers
    and loaders need, such as the session, the actor and what the actor may do.

    Attributes:
        name: of its schemas in the OpenAPI document.
        wire: spells a snake_case name, and leaves one that is spelled already.
        page_size: rows of a page when a request does not say; at most `page_size_max`.
        body_bytes: the largest body, unless an input says otherwise.
        body_depth: the deepest nesting of a body.
        page_limits: `page[offset]` and `page[limit]` say the same as number and size, and the
            `meta` of a list tells its page as `page`, in Elide's words.
        origin: the `scheme://host` that links start with.
        shapes: the resources declared so far, by type.
        inputs: the inputs declared so far, by their name in the OpenAPI document.
    """

    name: str
    _: KW_ONLY
    wire: Callable[[str], str] = kebab
    page_size: int = 20
    page_size_max: int = 100
    body_bytes: int = 2 * 1024 * 1024
    body_depth: int = 32
    page_limits: bool = False
    origin: Callable[[Request], str] = own_origin
    shapes: dict[str, Shape] = field(default_factory=dict, init=False, repr=False)
    inputs: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def declare(self, shape: Shape) -> None:
        """Add a resource.

        Raises:
            ValueError: there is one of that type.
        """
        if shape.type in self.shapes:
            raise ValueError(f"{self.name} declares {shape.type} twice.")
        self.shapes[shape.type] = shape

    def take(self, taken: Any, name: str) -> str:
        """Add an input, and return the name it has in the OpenAPI document."""
        unique, count = name, 1
        while unique in self.inputs:
            count += 1
            unique = f"{name}-{count}"
        self.inputs[unique] = taken
        return unique

    def undeclared(self) -> set[str]:
        """Return the types that relationships name but no resource has (yet, or by mistake)."""
        links = (link for shape in self.shapes.values() for link in shape.links.values())
        return {kind for link in links for kind in link.types} - self.shapes.keys()
