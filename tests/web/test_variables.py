"""Values as HCL and files of variables: what is said while they are typed, and after."""

import re
from html import unescape

import pytest
from fastapi import Request
from sqlalchemy import func, select

from landform.kit.db import transaction
from landform.kit.errors import MalformedError
from landform.kit.events import EventRow
from landform.variables import importing
from landform.web.forms import read_form
from tests.web.pages import Site, text_of

SECRET = "hush-hush-hush"
FILE = 'region = "eu-1"\nsizes = [1, 2]\n'


async def _set(site: Site) -> str:
    path = f"/organizations/{site.world.organization}/variable-sets"
    page = await site.owner.post(path, {"name": "shared"})
    found = re.search(rf'"({path}/varset-\w+)/variables"', page)
    assert found is not None
    return found[1]


@pytest.fixture(params=["workspace", "set"])
async def page(request: pytest.FixtureRequest, site: Site) -> str:
    """Return the page of variables of a workspace, and of a set."""
    if request.param == "set":
        return await _set(site)
    return f"{await site.place()}/variables"


def at(page: str) -> str:
    """Return where the forms of a page's variables go."""
    return page if page.endswith("/variables") else f"{page}/variables"


async def test_what_is_typed_is_read_as_terraform_reads_it(site: Site, page: str) -> None:
    async def said(value: str, **fields: str) -> str:
        given = {"value": value, "category": "terraform", **fields}
        return text_of(await site.owner.post(f"{at(page)}/check", given, of=page)).strip()

    assert await said("[1, 2, 3]", hcl="yes") == "This is a list of 3."
    assert await said('{ a = 1, "b" = 2 }', hcl="yes") == "This is a map with the keys a, b."
    wrong = await said("{\n  a = 1\n  b 2\n}", hcl="yes")
    assert wrong.startswith("Line 3, column 5: An = is missing after the key")
    assert "3 b 2" in wrong
    assert "Text stands in double quotes" in await said("eu-1", hcl="yes")
    assert "Tick HCL" in await said("[1, 2]")
    assert await said("eu-1") == ""
    assert await said("[1, 2]", category="env") == ""
    assert "environment variable is text" in await said("[1]", category="env", hcl="yes")


async def test_of_a_sensitive_value_only_place_and_kind_are_said(site: Site, page: str) -> None:
    fields = {"category": "terraform", "hcl": "yes", "sensitive": "yes"}
    for value, words in (
        (f'{{ {SECRET} = "x" }}', "a map of 1"),
        (f'["{SECRET}", {SECRET}]', "Line 1, column 20"),
    ):
        said = await site.owner.post(f"{at(page)}/check", {"value": value, **fields}, of=page)
        assert words in text_of(said)
        assert SECRET not in said


async def test_a_value_that_cannot_be_read_is_refused_where_it_was_typed(
    site: Site, page: str
) -> None:
    fields = {"key": "sizes", "value": "[1 2]", "category": "terraform", "hcl": "yes"}
    refused = await site.owner.post(at(page), fields, of=page, status=422)
    assert "[1 2]" in unescape(refused)
    assert "Line 1, column 4" in text_of(refused)
    made = await site.owner.post(at(page), {**fields, "value": "[1, 2]"}, of=page)
    variable = re.search(r'id="(var-\w+)"', made)
    assert variable is not None
    changed = {**fields, "key": "lengths", "value": "[1, 2", "description": "how long"}
    refused = await site.owner.post(f"{at(page)}/{variable[1]}", changed, of=page, status=422)
    for typed in ("[1, 2<", 'value="lengths"', 'value="how long"', f'id="{variable[1]}" open'):
        assert typed in refused
    secret = {**fields, "key": "token", "value": f'"{SECRET}', "sensitive": "yes"}
    refused = await site.owner.post(at(page), secret, of=page, status=422)
    assert "never closed" in refused
    assert SECRET not in refused


async def test_a_file_is_previewed_and_nothing_is_written(site: Site, page: str) -> None:
    await site.owner.post(f"{at(page)}/import", {"content": FILE}, of=page)
    async with transaction(site.world.platform.sessions) as session:
        before = await session.scalar(select(func.count()).select_from(EventRow))
    content = 'region = "eu-1"\nsizes = [1]\nfresh = true\n'
    shown = await site.owner.post(f"{at(page)}/preview", {"content": content}, of=page)
    assert "1 added, 1 changed, 1 left alone" in text_of(shown)
    assert content in unescape(shown)
    async with transaction(site.world.platform.sessions) as session:
        assert await session.scalar(select(func.count()).select_from(EventRow)) == before
    done = await site.owner.post(f"{at(page)}/import", {"content": content}, of=page)
    assert "Imported: 1 added, 1 changed, 1 left alone." in text_of(done)


async def test_a_preview_masks_what_is_sensitive(site: Site, page: str) -> None:
    secret = {"key": "token", "value": SECRET, "category": "terraform", "sensitive": "yes"}
    await site.owner.post(at(page), secret, of=page)
    path = f"{at(page)}/preview"
    form = await site.owner.get(page)
    token = re.search(r'name="form_token" value="(\w+)"', form)
    assert token is not None
    fields = {"content": f'token = "{SECRET}"\n', "form_token": token[1]}
    part = await site.owner.http.post(path, data=fields, headers={"hx-request": "true"})
    assert "1 changed" in text_of(part.text)  # though it is the same, which nobody is told
    assert "<html" not in part.text
    assert SECRET not in part.text
    everything = {"content": f'other = "{SECRET}"\n', "all_sensitive": "yes"}
    assert SECRET not in await site.owner.post(path, everything, of=page)


async def test_a_file_is_imported_whole_or_not_at_all_and_comes_back_if_not(
    site: Site, page: str
) -> None:
    shown = await site.owner.post(f"{at(page)}/import", {"content": FILE}, of=page)
    assert "Imported: 2 added." in text_of(shown)
    bad = 'fresh = "x"\nwrong\n'
    refused = await site.owner.post(f"{at(page)}/import", {"content": bad}, of=page, status=422)
    assert "Line 2, column 6" in text_of(refused)
    assert bad in unescape(refused)
    assert "fresh" not in await site.owner.get(page)
    huge = {"content": "#" * (importing.FILE_LIMIT + 1)}
    refused = await site.owner.post(f"{at(page)}/import", huge, of=page, status=422)
    assert "are accepted at once" in refused


async def test_a_check_that_is_taken_back_by_typing_on_is_no_fault_of_ours() -> None:
    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    request = Request({"type": "http", "method": "POST", "headers": [kind]}, gone)
    with pytest.raises(MalformedError, match="not sent to its end"):
        await read_form(request)
