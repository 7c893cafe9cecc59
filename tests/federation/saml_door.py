"""A site with a provider that speaks SAML, and browsers that go there and come back."""

import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from landform.federation import providers
from landform.federation.kinds import Kind
from landform.federation.settings import ProviderSettings
from landform.identity.users import actor_of
from landform.kit.db import transaction
from tests import factories
from tests.federation.door import Doorway
from tests.standins.saml_provider import Form, SamlProvider
from tests.web.pages import Browser, Site


@dataclass(kw_only=True)
class SamlDoor(Doorway):
    """A provider that speaks SAML."""

    saml: SamlProvider

    @classmethod
    async def open(cls, site: Site, saml: SamlProvider, **settings: Any) -> "SamlDoor":
        """Make a site admin, who makes the provider, by its metadata unless it is said how."""
        async with transaction(site.world.platform.sessions) as session:
            admin = actor_of(await factories.make_user(session, "boss", is_site_admin=True))
        door = cls(site, admin, saml=saml)
        given = settings or {"metadata": saml.metadata()}
        door.provider_id = await door.add_saml(**given)
        return door

    async def add_saml(self, name: str = "Acme", **settings: Any) -> str:
        """Make another provider; return its id."""
        platform = self.site.world.platform
        given = ProviderSettings(name=name, **settings)
        async with transaction(platform.sessions) as session:
            row = await providers.create_provider(
                session, platform.keyring, self.admin, Kind.SAML, given
            )
            return row.id

    # ── what a browser does ─────────────────────────────────────────────────────────────────────

    async def set_out(self, http: httpx2.AsyncClient, then: str = "/organizations") -> Form:
        """Press the button; return the form that the provider has the browser send."""
        answer = await http.get(f"/login/with/{self.provider_id}", params={"then": then})
        assert answer.status_code == 303, answer.text
        return self.saml.visit(answer.headers["location"])

    async def send(self, http: httpx2.AsyncClient, form: Form) -> httpx2.Response:
        """Send the provider's form, as browsers do: from another site without our cookies."""
        path = urlsplit(form.action).path
        first = await self.site.nobody().post(path, data=form.fields)
        assert first.status_code == 200, first.text
        assert "set-cookie" not in first.headers
        return await http.post(path, data=fields_of(first.text))

    async def sign_in(
        self, http: httpx2.AsyncClient | None = None, then: str = "/organizations"
    ) -> httpx2.Response:
        """Go there and come back; return the answer to what comes back."""
        http = http or self.site.nobody()
        return await self.send(http, await self.set_out(http, then))

    async def link(self, browser: Browser) -> httpx2.Response:
        """Ask for a link in a browser, go there and come back."""
        page = await browser.get("/account/identities")
        token = page.partition('name="form_token" value="')[2].partition('"')[0]
        path = f"/account/identities/link/{self.provider_id}"
        answer = await browser.http.post(path, data={"form_token": token})
        assert answer.status_code == 303, answer.text
        return await self.send(browser.http, self.saml.visit(answer.headers["location"]))


def fields_of(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}
