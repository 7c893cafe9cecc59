"""A book shop in a dialect of its own: what a route file looks like, and the engine's test bed.

The domain is a few dictionaries, filled anew for each test; loads are counted so that a test can
tell one for all from one for each.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Request
from msgspec import UNSET, Meta, UnsetType
from starlette.responses import Response

from landform.api.jsonapi import (
    ActionInput,
    Attributes,
    Body,
    Dialect,
    DocumentedRoute,
    Identifier,
    Input,
    Kebab,
    ListInput,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    given,
    install_errors,
    install_openapi,
    reads,
)
from landform.kit.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError

# The domain


class Binding(StrEnum):
    HARD = "hardcover"
    PAPER = "paperback"


@dataclass(frozen=True)
class Author:
    id: str
    name: str


@dataclass(frozen=True)
class Book:
    id: str
    title: str
    author_id: str | None = None
    page_count: int = 0
    blurb: str | None = None
    binding: Binding = Binding.PAPER
    published_at: datetime | None = None
    history: Mapping[str, datetime] = field(default_factory=dict)
    price: int | None = None
    lent_to: tuple[str, str] | None = None
    sequel_id: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    id: str
    book_id: str
    heading: str


@dataclass
class Shop:
    authors: dict[str, Author] = field(default_factory=dict)
    books: dict[str, Book] = field(default_factory=dict)
    chapters: list[Chapter] = field(default_factory=list)
    loads: Counter[str] = field(default_factory=Counter)
    commits: list[str] = field(default_factory=list)

    def add(self, *things: Author | Book | Chapter) -> None:
        for thing in things:
            if isinstance(thing, Author):
                self.authors[thing.id] = thing
            elif isinstance(thing, Book):
                self.books[thing.id] = thing
            else:
                self.chapters.append(thing)

    def book(self, book_id: str) -> Book:
        if book_id not in self.books:
            raise NotFoundError(f"There is no book {book_id}.")
        return self.books[book_id]


# api/shop/dialect.py: what all resources share


@dataclass
class ShopContext:
    shop: Shop
    may_see_prices: bool
    sold: dict[str, int] = field(default_factory=dict)


async def shop_context(request: Request) -> AsyncIterator[ShopContext]:
    shop: Shop = request.app.state.shop
    before = dict(shop.books)
    try:
        yield ShopContext(
            shop, may_see_prices=request.headers.get("authorization") == "Bearer till"
        )
    except BaseException:
        shop.books = before
        shop.commits.append("rolled back")
        raise
    shop.commits.append("committed")


SHOP: Final = Dialect[ShopContext]("shop", page_size=3, page_size_max=5, body_bytes=4096)
# "function": commit before the answer is sent, so a client can read what it just wrote.
Context = Annotated[ShopContext, Depends(shop_context, scope="function")]

# api/shop/authors.py


class AuthorAttributes(Attributes[Author]):
    """Who wrote it."""

    name: str


async def authors_by_ids(ids: Sequence[str], context: ShopContext) -> list[Author]:
    context.shop.loads["authors"] += 1
    return [context.shop.authors[each] for each in ids if each in context.shop.authors]


async def books_of_authors(
    authors: Sequence[Author], context: ShopContext
) -> dict[str, list[Book]]:
    context.shop.loads["books of authors"] += 1
    written: dict[str, list[Book]] = {author.id: [] for author in authors}
    for book in context.shop.books.values():
        if book.author_id in written:
            written[book.author_id].append(book)
    return written


AUTHORS: Final = Resource[Author, ShopContext](
    SHOP,
    "authors",
    AuthorAttributes,
    by_ids=authors_by_ids,
    relationships=(ToMany("books", "books", load=books_of_authors, eager=False),),
)

# api/shop/chapters.py


class ChapterAttributes(Attributes[Chapter]):
    heading: str


CHAPTERS: Final = Resource[Chapter, ShopContext](
    SHOP,
    "chapters",
    ChapterAttributes,
    relationships=(ToOne("book", "books", related="/books/{id}"),),
)

# api/shop/books.py


class Permissions(Kebab):
    can_lend: bool
    lent_since: datetime | None = None


def permissions_of(book: Book, context: ShopContext) -> Permissions:
    return Permissions(can_lend=book.lent_to is None, lent_since=book.published_at)


def price_of(book: Book, context: ShopContext) -> int | UnsetType | None:
    return book.price if context.may_see_prices else UNSET


class BookAttributes(Attributes[Book]):
    """A book as the shop shows it."""

    title: str
    page_count: int
    blurb: str | None
    binding: Binding
    published_at: datetime | None
    history: Mapping[str, datetime]
    is_long: bool = reads(lambda book: book.page_count > 500)
    copies_sold: int = reads(lambda book, context: context.sold[book.id])
    permissions: Permissions = reads(permissions_of)
    price: int | UnsetType | None = reads(price_of)
    result_count: int = reads("page_count", name="result_count")


async def books_by_ids(ids: Sequence[str], context: ShopContext) -> list[Book]:
    context.shop.loads["books"] += 1
    context.shop.loads["books by id"] += len(ids)
    return [context.shop.books[each] for each in ids if each in context.shop.books]


async def chapters_of_books(
    books: Sequence[Book], context: ShopContext
) -> dict[str, list[Chapter]]:
    context.shop.loads["chapters"] += 1
    return {
        book.id: [each for each in context.shop.chapters if each.book_id == book.id]
        for book in books
    }


async def foreword_of_books(books: Sequence[Book], context: ShopContext) -> dict[str, Chapter]:
    context.shop.loads["forewords"] += 1
    first: dict[str, Chapter] = {}
    for chapter in context.shop.chapters:
        first.setdefault(chapter.book_id, chapter)
    return {book.id: first[book.id] for book in books if book.id in first}


async def count_sold(books: Sequence[Book], context: ShopContext) -> None:
    context.shop.loads["sold"] += 1
    context.sold |= {book.id: len(book.title) for book in books}


def lent_to(book: Book) -> Identifier | None:
    return Identifier(*book.lent_to) if book.lent_to else None


BOOKS: Final = Resource[Book, ShopContext](
    SHOP,
    "books",
    BookAttributes,
    relationships=(
        ToOne("author", "authors", related="/books/{id}/author"),
        ToOne("sequel", "books"),
        ToOne("lent_to", ("authors", "books"), id=lent_to),
        ToOne("fore_word", "chapters", id=None, load=foreword_of_books),
        ToMany("chapters", "chapters", load=chapters_of_books),
        ToMany("tags", "tags", ids=lambda book: book.tags),
    ),
    url="/books/{id}",
    by_ids=books_by_ids,
    prepare=count_sold,
    sorts=("title", "page_count"),
    filters=(
        "search[title]",
        "filter[author][id]",
        "filter[tagged][][key]",
        "filter[tagged][][value]",
    ),
)


class CreateBook(Kebab):
    title: Annotated[str, Meta(min_length=1, max_length=40)]
    page_count: Annotated[int, Meta(ge=0)] = 0
    binding: Binding = Binding.PAPER
    reprints: list[int] = []


class ChangeBook(Kebab):
    title: str | UnsetType = UNSET
    page_count: int | UnsetType = UNSET
    blurb: str | UnsetType | None = UNSET


class Tag(Kebab):
    name: str


class Lend(Kebab):
    reason: str = ""
    until: Literal["monday", "friday"] = "friday"


CREATE_BOOK: Final = Input(
    SHOP, "books", CreateBook, one={"author": "authors"}, many={"tags": "tags", "see_also": "books"}
)
CHANGE_BOOK: Final = Input(SHOP, "books", ChangeBook, one={"author": "authors"})
SET_TAGS: Final = ListInput(SHOP, "tags", Tag)
LEND: Final = ActionInput(SHOP, Lend)

BookQuery = Annotated[Query, Depends(BOOKS.query)]
BookListQuery = Annotated[ListQuery, Depends(BOOKS.list_query)]

router = APIRouter(route_class=DocumentedRoute)


@router.get("/books")
async def index(context: Context, query: BookListQuery) -> Response:
    authors = query.values("filter[author][id]")
    tags = {group["key"] for group in query.groups("filter[tagged]")}
    found = [
        book
        for book in context.shop.books.values()
        if query.text("search[title]").lower() in book.title.lower()
        and (not authors or book.author_id in authors)
        and tags <= set(book.tags)
    ]
    for key in reversed(query.sort):
        found.sort(key=lambda book: getattr(book, key.name), reverse=key.descending)
    start = query.page.offset
    return await BOOKS.many(
        found[start : start + query.page.size], query, context, total=len(found)
    )


@router.get("/books/{book_id}")
async def show(book_id: str, context: Context, query: BookQuery) -> Response:
    return await BOOKS.one(context.shop.book(book_id), query, context)


@router.post("/books", status_code=201)
async def create(
    context: Context, body: Annotated[Body[CreateBook], Depends(CREATE_BOOK)], query: BookQuery
) -> Response:
    """Add a book to the shop."""
    author = body.one("author")
    if body.attributes.title in {book.title for book in context.shop.books.values()}:
        raise InvalidError("There is a book of that title already.", pointer="title")
    book = Book(
        id=body.id or f"book-{len(context.shop.books) + 1}",
        title=body.attributes.title,
        page_count=body.attributes.page_count,
        binding=body.attributes.binding,
        author_id=author.id if author else None,
        tags=tuple(tag.id or tag.read(Tag).name for tag in body.many("tags")),
    )
    context.shop.add(book)
    return await BOOKS.one(book, query, context)


@router.patch("/books/{book_id}")
async def change(
    book_id: str,
    context: Context,
    body: Annotated[Body[ChangeBook], Depends(CHANGE_BOOK)],
    query: BookQuery,
) -> Response:
    changes = given(body.attributes)
    if body.mentions("author"):
        author = body.one("author")
        changes["author_id"] = author.id if author else None
    book = replace(context.shop.book(book_id), **changes)
    context.shop.add(book)
    return await BOOKS.one(book, query, context)


@router.delete("/books/{book_id}", status_code=204)
async def remove(book_id: str, context: Context) -> Response:
    del context.shop.books[context.shop.book(book_id).id]
    return Response(status_code=204)


@router.patch("/books/{book_id}/tags")
async def set_tags(
    book_id: str,
    context: Context,
    body: Annotated[tuple[Body[Tag], ...], Depends(SET_TAGS)],
    query: BookQuery,
) -> Response:
    tags = tuple(each.attributes.name for each in body)
    book = replace(context.shop.book(book_id), tags=tags)
    context.shop.add(book)
    return await BOOKS.one(book, query, context)


@router.post("/books/{book_id}/actions/lend")
async def lend(
    book_id: str, context: Context, body: Annotated[Lend, Depends(LEND)], query: BookQuery
) -> Response:
    book = context.shop.book(book_id)
    if book.lent_to:
        raise ConflictError(f"{book.title} is lent already.")
    book = replace(book, lent_to=("authors", "author-1"), blurb=f"{body.reason}/{body.until}")
    context.shop.add(book)
    return await BOOKS.one(book, query, context)


@router.get("/books/{book_id}/chapters")
async def chapters(
    book_id: str, context: Context, query: Annotated[ListQuery, Depends(CHAPTERS.list_query)]
) -> Response:
    found = await chapters_of_books([context.shop.book(book_id)], context)
    return await CHAPTERS.many(found[book_id], query, context, meta={"spoilers": True})


@router.get("/till")
async def till() -> Response:
    raise UnauthenticatedError("Sign in first.")


@router.get("/floors/{floor}")
async def on_floor(floor: int, shelf: int = 0) -> Response:
    return Response(f"{floor}/{shelf}", media_type="text/plain")


@router.get("/crash")
async def crash() -> Response:
    raise RuntimeError("the secret is 1234")


def make_app() -> FastAPI:
    app = FastAPI(title="Shop", version="1")
    app.state.shop = Shop()
    app.include_router(router, prefix="/api")
    install_errors(app)
    install_openapi(app, SHOP)
    return app
