"""The page on which a site admin says how people sign in."""

import re

from landform.identity.users import actor_of
from landform.kit.db import transaction
from tests import factories
from tests.web.pages import Site


async def test_a_directory_s_token_is_shown_once_and_works_until_it_is_removed(site: Site) -> None:
    async with transaction(site.world.platform.sessions) as session:
        admin = actor_of(await factories.make_user(session, "boss", is_site_admin=True))
    browser = await site.browser(admin)
    here = "/site/sign-in"
    fields = {"name": "Okta", "organization": site.world.organization}
    page = await browser.post(f"{here}/directories", fields, of=here)
    token = re.search(r'id="token">(lfd_\w+)<', page)
    assert token
    header = {"Authorization": f"Bearer {token[1]}"}
    http = site.nobody()
    assert (await http.get("/scim/v2/Users", headers=header)).status_code == 200
    page = await browser.get(here)
    assert token[1] not in page
    path = re.search(rf"{here}/directories/dir-\w+/delete", page)
    assert path
    await browser.post(path[0], of=here)
    assert (await http.get("/scim/v2/Users", headers=header)).status_code == 401
