"""Related resources, loaded a relationship at a time for all parents at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from landform.api.jsonapi.declaration import Identifier
from landform.api.jsonapi.errors import QueryError
from landform.api.jsonapi.query import IncludeTree
from landform.api.jsonapi.shape import Link, Shape
from landform.api.jsonapi.view import identifiers

Shapes = Mapping[str, Shape]

_DEPTH_MAX: Final = 5


def check_include(
    tree: IncludeTree, shape: Shape, shapes: Shapes, *, refuse: bool = True
) -> IncludeTree:
    """Return the part of `tree` that can be followed from `shape`.

    Raises:
        QueryError: `refuse`, and there is a part that cannot be.
    """
    return _checked(tree, (shape,), shapes, (), refuse=refuse)


def includable(shape: Shape, shapes: Shapes) -> list[str]:
    """Return the names that `include` takes on `shape`, of its own relationships."""
    return [name for name, link in shape.links.items() if _followed(link, shapes)]


class Gathering:
    """Everything one document shows.

    Attributes:
        included: source objects beside the primary ones, by what identifies them.
        linkages: ids behind the relationships that had to be loaded to know them.
    """

    def __init__(self, shapes: Shapes, context: Any, fields: Mapping[str, frozenset[str]]) -> None:
        self._shapes = shapes
        self._context = context
        self._fields = fields
        self._shown: dict[Identifier, Any] = {}
        self._children: dict[tuple[str, str, str], Sequence[Any]] = {}
        self.included: dict[Identifier, Any] = {}
        self.linkages: dict[tuple[str, str, str], Sequence[Identifier]] = {}

    async def gather(self, shape: Shape, rows: Sequence[Any], tree: IncludeTree) -> None:
        """Take `rows`, the primary data, and everything `tree` asks for from there."""
        await self._show(shape, rows)
        await self._follow_all(shape, rows, tree)

    async def _include(self, shape: Shape, rows: Iterable[Any], tree: IncludeTree) -> None:
        by_id = {Identifier(shape.type, shape.id_of(row)): row for row in rows}
        fresh = {key: row for key, row in by_id.items() if key not in self._shown}
        self.included |= fresh
        await self._show(shape, list(fresh.values()))
        await self._follow_all(shape, list(by_id.values()), tree)

    async def _show(self, shape: Shape, rows: Sequence[Any]) -> None:
        """Load what the objects need to be written, once for each of them."""
        if not rows:
            return
        self._shown |= {Identifier(shape.type, shape.id_of(row)): row for row in rows}
        if shape.prepare is not None:
            await shape.prepare(rows, self._context)
        names = self._fields.get(shape.key)
        for link in shape.links.values():
            if link.eager and link.read is None and (names is None or link.name in names):
                await self._load(shape, link, rows)

    async def _follow_all(self, shape: Shape, rows: Sequence[Any], tree: IncludeTree) -> None:
        for name, below in tree.items():
            # A relationship to several types meets names here that only another type has.
            if rows and (link := shape.links.get(name)) is not None:
                await self._follow(shape, link, rows, below)

    async def _follow(
        self, shape: Shape, link: Link, rows: Sequence[Any], tree: IncludeTree
    ) -> None:
        if link.load is not None:
            await self._load(shape, link, rows)
            keys = ((shape.type, shape.id_of(row), link.name) for row in rows)
            children = [child for key in keys for child in self._children[key]]
            await self._include(self._shapes[link.types[0]], children, tree)
            return
        wanted: dict[str, dict[str, None]] = {}
        for row in rows:
            for kind, child_id in identifiers(link, link.read and link.read(row, self._context)):
                wanted.setdefault(kind, {})[child_id] = None
        for kind, ids in wanted.items():
            target = self._shapes.get(kind)
            if target is not None:
                await self._include(target, await self._fetch(target, list(ids)), tree)

    async def _fetch(self, target: Shape, ids: Sequence[str]) -> list[Any]:
        known = {each: self._shown.get(Identifier(target.type, each)) for each in ids}
        missing = [each for each, row in known.items() if row is None]
        rows = [row for row in known.values() if row is not None]
        if missing and target.by_ids is not None:
            rows += await target.by_ids(missing, self._context)
        return rows

    async def _load(self, shape: Shape, link: Link, rows: Sequence[Any]) -> None:
        """Load the children of those `rows` whose children are not known yet."""
        keys = {(shape.type, shape.id_of(row), link.name): row for row in rows}
        fresh = {key: row for key, row in keys.items() if key not in self._children}
        if not fresh or link.load is None:
            return
        loaded = await link.load(list(fresh.values()), self._context)
        target = self._shapes[link.types[0]]
        for key in fresh:
            child = loaded.get(key[1])
            children = child if link.many else [child]
            self._children[key] = [each for each in children or () if each is not None]
            self.linkages[key] = [
                Identifier(target.type, target.id_of(each)) for each in self._children[key]
            ]


def _followed(link: Link, shapes: Shapes) -> list[Shape]:
    """Return the types that including `link` can show."""
    targets = [shapes[kind] for kind in link.types if kind in shapes]
    return targets if link.load else [each for each in targets if link.read and each.by_ids]


def _is_to_come(name: str, starts: Sequence[Shape], shapes: Shapes) -> bool:
    """Tell whether it is a relationship to what is not offered yet, so that there is none of it."""
    links = [start.links[name] for start in starts if name in start.links]
    return any(not any(kind in shapes for kind in link.types) for link in links)


def _checked(
    tree: IncludeTree,
    starts: Sequence[Shape],
    shapes: Shapes,
    above: tuple[str, ...],
    *,
    refuse: bool,
) -> IncludeTree:
    good: dict[str, IncludeTree] = {}
    for name, below in tree.items():
        path = (*above, name)
        targets = [
            target
            for start in starts
            if name in start.links
            for target in _followed(start.links[name], shapes)
        ]
        if targets and len(path) <= _DEPTH_MAX:
            good[name] = _checked(below, targets, shapes, path, refuse=refuse)
        elif refuse and not _is_to_come(name, starts, shapes):
            offered = sorted({each for start in starts for each in includable(start, shapes)})
            raise QueryError(
                f"Invalid include parameter: {'.'.join(path)}. "
                f"{'.'.join(above) or starts[0].type} can include {', '.join(offered) or 'nothing'}"
                f", at most {_DEPTH_MAX} deep.",
                parameter="include",
            )
    return good
