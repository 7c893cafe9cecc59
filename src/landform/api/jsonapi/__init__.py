"""A small JSON:API engine beneath every dialect. It knows no noun of the product.

A dialect's own module says what all its resources share:

    SHOP: Final = Dialect[ShopContext]("shop")
    Context = Annotated[ShopContext, Depends(shop_context)]

A resource is a page: what it shows, what it takes, and routes that read, make one service call
and present.

    class BookAttributes(Attributes[Book]):
        title: str
        published_at: datetime | None
        permissions: Permissions = reads(permissions_of)

    BOOKS: Final = Resource[Book, ShopContext](
        SHOP,
        "books",
        BookAttributes,
        relationships=(
            ToOne("author", "authors"),
            ToMany("chapters", "chapters", load=chapters_of_books),
        ),
        url="/books/{id}",
        by_ids=books_by_ids,
        sorts=("title",),
        filters=("search[title]",),
    )

    class CreateBook(Kebab):
        title: str
        page_count: int = 0

    CREATE_BOOK: Final = Input(SHOP, "books", CreateBook, one={"author": "authors"})

    router = APIRouter(route_class=DocumentedRoute)

    @router.post("/books", status_code=201)
    async def create(
        context: Context,
        body: Annotated[Body[CreateBook], Depends(CREATE_BOOK)],
        query: Annotated[Query, Depends(BOOKS.query)],
    ) -> Response:
        book = await shop.create_book(
            context.session, context.actor, body.need("author").id, title=body.attributes.title
        )
        return await BOOKS.one(book, query, context)

The status of the answer is the route's. A PATCH tells an absent attribute from null by UNSET:
`given(body.attributes)` is what was sent. The app is completed with `install_errors(app)` and
`install_openapi(app, SHOP)`.

Floors, each of which knows only those below it: openapi > schemas > resource, inputs > reading,
body > included, typed > view > dialect > shape > declaration, query > errors > naming.
"""

from landform.api.jsonapi.body import Body, Linkage, given
from landform.api.jsonapi.declaration import Attributes, Identifier, ToMany, ToOne, reads
from landform.api.jsonapi.dialect import Dialect
from landform.api.jsonapi.errors import (
    MEDIA_TYPE,
    DocumentError,
    Fault,
    QueryError,
    error_response,
    install_errors,
    wrong,
)
from landform.api.jsonapi.inputs import ActionInput, Input, ListInput
from landform.api.jsonapi.naming import Camel, Kebab, camel, kebab
from landform.api.jsonapi.openapi import DocumentedRoute, install_openapi
from landform.api.jsonapi.query import Filter, ListQuery, Operator, Query, SortKey
from landform.api.jsonapi.resource import Resource
from landform.api.jsonapi.seen import seen
from landform.kit.pagination import Page

__all__ = [
    "MEDIA_TYPE",
    "ActionInput",
    "Attributes",
    "Body",
    "Camel",
    "Dialect",
    "DocumentError",
    "DocumentedRoute",
    "Fault",
    "Filter",
    "Identifier",
    "Input",
    "Kebab",
    "Linkage",
    "ListInput",
    "ListQuery",
    "Operator",
    "Page",
    "Query",
    "QueryError",
    "Resource",
    "SortKey",
    "ToMany",
    "ToOne",
    "camel",
    "error_response",
    "given",
    "install_errors",
    "install_openapi",
    "kebab",
    "reads",
    "seen",
    "wrong",
]
