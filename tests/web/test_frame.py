"""What every page has in common: who may see it, what it may load, and its files."""

import re

import pytest

from tests.web.pages import Site, text_of

ORGANIZATION = ["/teams", "/projects", "/runs", "/settings", "/workspaces/new"]
WORKSPACE = ["", "/runs", "/runs/new", "/states", "/variables", "/settings", "/access"]


async def pages_of(site: Site) -> list[str]:
    place = await site.place()
    run_id = await site.world.create(message="First run")
    home = f"/organizations/{site.world.organization}"
    return [
        *(
            "/organizations",
            "/organizations/new",
            "/account/tokens",
            "/account/sessions",
            "/account/two-factor",
            "/account/identities",
            "/welcome",
            "/search?q=w",
        ),
        f"/app/{site.world.organization}",
        *(home + each for each in ORGANIZATION),
        *(place + each for each in WORKSPACE),
        f"{place}/runs/{run_id}",
        f"{place}/runs/{run_id}/log/plan",
    ]


async def test_every_page_forbids_scripts_and_styles_written_into_it(site: Site) -> None:
    for path in await pages_of(site):
        answer = await site.owner.http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text[-1500:]}"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=\"", answer.text), path
        assert answer.headers["cache-control"] == "no-store"


async def test_every_form_that_changes_something_carries_the_token_of_the_browser(
    site: Site,
) -> None:
    for path in await pages_of(site):
        page = await site.owner.get(path)
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", page, re.DOTALL):
            assert 'name="form_token"' in form, f"{path}: {form[:200]}"


async def test_a_form_without_the_token_is_refused(site: Site) -> None:
    answer = await site.owner.http.post("/organizations/new", data={"name": "not-mine"})
    assert answer.status_code == 403
    assert "not-mine" not in await site.owner.get("/organizations")


async def test_the_pages_of_another_organization_are_not_there(site: Site) -> None:
    stranger = await site.stranger()
    for path in await pages_of(site):
        if site.world.organization in path:
            assert "There is no " in text_of(await stranger.get(path, 404)), path


async def test_who_is_not_signed_in_is_led_to_sign_in_and_back(site: Site) -> None:
    async with site.nobody() as nobody:
        for path in await pages_of(site):
            answer = await nobody.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login?then=")


async def test_static_files_are_kept_under_names_that_change_with_them(site: Site) -> None:
    page = await site.owner.get("/organizations")
    for name in ("app.css", "app.js"):
        stem, suffix = name.split(".")
        found = re.search(rf"/static/{stem}\.[0-9a-f]{{12}}\.{suffix}", page)
        assert found is not None, name
        answer = await site.owner.http.get(found[0])
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        plain = await site.owner.http.get(f"/static/{name}")
        assert plain.headers["cache-control"] == "no-cache"
        assert plain.content == answer.content


async def test_a_page_that_is_not_there_says_so_as_a_page(site: Site) -> None:
    page = text_of(await site.owner.get("/app/nowhere", 404))
    assert "Nothing here" in page
    assert "There is no organization called nowhere." in page


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_chosen_theme_stays(site: Site, theme: str) -> None:
    await site.owner.post("/theme", {"theme": theme, "then": "/organizations"}, of="/organizations")
    assert f'data-theme="{theme}"' in await site.owner.get("/organizations")


async def test_a_form_does_not_lead_to_another_site(site: Site) -> None:
    fields = {"theme": "dark", "then": "https://evil.example/"}
    token = re.search(r'name="form_token" value="(\w+)"', await site.owner.get("/organizations"))
    assert token is not None
    answer = await site.owner.http.post("/theme", data={"form_token": token[1], **fields})
    assert answer.headers["location"] == "/"
