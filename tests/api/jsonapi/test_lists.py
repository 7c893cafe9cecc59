from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from landform.api.jsonapi import Filter, ListQuery, Operator, Page, camel
from landform.api.jsonapi.query import check_filter, read_filters, read_include, read_page
from tests.api.jsonapi.shop import Shop


async def get(client: httpx2.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/books{query}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def titles(document: dict[str, Any]) -> list[str]:
    return [each["attributes"]["title"] for each in document["data"]]


async def test_the_first_page_has_the_size_of_the_dialect(client: httpx2.AsyncClient) -> None:
    document = await get(client)
    assert len(document["data"]) == 3
    assert document["meta"]["pagination"] == {
        "current-page": 1,
        "page-size": 3,
        "prev-page": None,
        "next-page": 2,
        "total-pages": 2,
        "total-count": 4,
    }


async def test_the_last_page_has_no_next(client: httpx2.AsyncClient) -> None:
    document = await get(client, "?page[number]=2&page[size]=3")
    assert titles(document) == ["Anonymous"]
    pagination = document["meta"]["pagination"]
    assert (pagination["prev-page"], pagination["next-page"]) == (1, None)
    assert document["links"]["next"] is None


async def test_an_empty_list_is_one_page(client: httpx2.AsyncClient) -> None:
    document = await get(client, "?search[title]=nothing")
    assert document["data"] == []
    assert document["meta"]["pagination"]["total-pages"] == 1
    assert document["meta"]["pagination"]["total-count"] == 0


async def test_a_page_past_the_end_leads_back(client: httpx2.AsyncClient) -> None:
    document = await get(client, "?page[number]=9")
    assert document["data"] == []
    assert document["meta"]["pagination"]["prev-page"] == 2
    assert document["meta"]["pagination"]["next-page"] is None


async def test_a_page_is_never_larger_than_the_dialect_allows(client: httpx2.AsyncClient) -> None:
    assert (await get(client, "?page[size]=9999"))["meta"]["pagination"]["page-size"] == 5


async def test_links_keep_the_rest_of_the_query(client: httpx2.AsyncClient) -> None:
    links = (await get(client, "?search[title]=d%26&page[size]=2&sort=-title"))["links"]
    url = urlsplit(links["last"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://shop.test/api/books"
    assert parse_qs(url.query) == {
        "search[title]": ["d&"],
        "sort": ["-title"],
        "page[number]": ["1"],
        "page[size]": ["2"],
    }


async def test_following_next_shows_every_row_once(client: httpx2.AsyncClient) -> None:
    seen: list[str] = []
    document = await get(client, "?page[size]=1")
    while document["links"]["next"]:
        seen += titles(document)
        document = (await client.get(document["links"]["next"])).json()
    seen += titles(document)
    assert seen == ["Dune", "Dune Messiah", "The Dispossessed", "Anonymous"]


async def test_a_list_that_is_not_paged_is_one_page(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/books/book-1/chapters?page[number]=3")).json()
    assert [each["id"] for each in document["data"]] == ["chapter-1", "chapter-2"]
    assert document["meta"]["spoilers"] is True
    assert document["meta"]["pagination"]["current-page"] == 1
    assert document["meta"]["pagination"]["total-count"] == 2


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "1e3", "²", "9" * 10, " 1"])
async def test_a_page_that_is_no_number_is_refused(client: httpx2.AsyncClient, number: str) -> None:
    answer = await client.get("/books", params={"page[number]": number})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["title"] == "invalid page parameter"
    assert error["source"] == {"parameter": "page[number]"}
    assert "whole number from 1" in error["detail"]


def test_an_empty_page_is_the_default() -> None:
    assert read_page([("page[number]", ""), ("page[size]", "")], size=20, size_max=100) == Page(
        1, 20
    )


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("title", "Anonymous"),
        ("-title", "The Dispossessed"),
        ("page-count,-title", "Dune Messiah"),
        ("-page_count", "Dune"),
    ],
)
async def test_a_list_is_sorted_by_declared_keys(
    client: httpx2.AsyncClient, sort: str, first: str
) -> None:
    assert titles(await get(client, f"?sort={sort}"))[0] == first


async def test_a_key_that_is_not_declared_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/books?sort=-blurb")
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["detail"] == "Cannot sort by blurb; this list sorts by title, page-count."
    assert error["source"] == {"parameter": "sort"}


async def test_filters_and_searches_reach_the_handler(client: httpx2.AsyncClient) -> None:
    assert titles(await get(client, "?filter[author][id]=author-2, author-9")) == [
        "The Dispossessed"
    ]
    assert titles(await get(client, "?search[title]=DUNE")) == ["Dune", "Dune Messiah"]
    assert titles(await get(client, "?filter[tagged][0][key]=tag-1&filter[tagged][1][key]=x")) == []
    assert titles(await get(client, "?filter[tagged][0][key]=tag-1")) == ["Dune"]


async def test_parameters_we_do_not_know_are_ignored(
    client: httpx2.AsyncClient, shop: Shop
) -> None:
    # What Terraform 1.11 sends when it looks for workspaces by tag.
    path = "?TagBindings=%7B%2Bnet%2B%7D&filter%5Btagged%5D%5B0%5D%5Bkey%5D=tag-2&filter[[]=&[=]"
    assert titles(await get(client, path)) == ["Dune"]


async def test_a_nul_character_is_refused_before_a_database_would(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.get("/books?search[title]=a%00b")
    assert answer.status_code == 400
    assert "NUL" in answer.json()["errors"][0]["detail"]


def test_a_filter_has_a_form_that_no_dialect_owns() -> None:
    sent = [
        ("filter[project][id]", "prj-1, prj-2"),
        ("filter[tagged][0][value]", "a, b"),
        ("search[name]", "a,b"),
        ("q", "words"),
        ("filtered", "no"),
    ]
    assert read_filters(sent) == (
        Filter(("project", "id"), Operator.ONE_OF, ("prj-1", "prj-2")),
        Filter(("tagged", "0", "value"), Operator.ONE_OF, ("a, b",)),
        Filter(("name",), Operator.MATCHES, ("a,b",)),
        Filter((), Operator.MATCHES, ("words",)),
    )


def _query(*parameters: tuple[str, str], offered: frozenset[str]) -> ListQuery:
    filters = read_filters(parameters)
    return ListQuery(
        url="", parameters=parameters, page=Page(1, 20), filters=filters, offered=offered
    )


def test_groups_come_in_the_order_of_their_numbers() -> None:
    query = _query(
        ("filter[tagged][10][key]", "last"),
        ("filter[tagged][2][key]", "env"),
        ("filter[tagged][2][value]", "prod,eu"),
        ("filter[tagged][x][key]", "no number"),
        ("filter[tagged]", "no group"),
        offered=frozenset({"filter[tagged][][key]", "filter[tagged][][value]"}),
    )
    assert query.groups("filter[tagged]") == [{"key": "env", "value": "prod,eu"}, {"key": "last"}]


def test_a_filter_that_is_not_declared_cannot_be_used() -> None:
    query = _query(("filter[a]", "1"), offered=frozenset({"filter[b]"}))
    for ask in (query.values, query.text, query.groups):
        with pytest.raises(LookupError, match="not declared"):
            ask("filter[a]")


def test_a_declared_filter_has_the_form_of_one() -> None:
    check_filter("filter[tagged][][key]")
    with pytest.raises(TypeError, match="name is no filter"):
        check_filter("name")


def test_a_camel_case_dialect_takes_its_own_names() -> None:
    assert read_include([("include", "nextStep.job")], camel) == {"nextStep": {"job": {}}}
