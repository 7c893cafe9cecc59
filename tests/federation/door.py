"""A site with an identity provider, and browsers that go there and come back."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from sqlalchemy import select

from landform.federation import providers
from landform.federation.kinds import Kind
from landform.federation.models import Identity
from landform.federation.models import IdentityProvider as IdentityProviderRow
from landform.federation.settings import ProviderSettings
from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.kit.errors import UnauthenticatedError
from landform.kit.events import EventRow
from landform.web.pages import COOKIE
from tests import factories
from tests.standins.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider
from tests.web.pages import Browser, Site


@dataclass
class Doorway:
    """The sign-in page of a site, and one provider behind it.

    Attributes:
        admin: a site admin.
        provider_id: of the provider, as the site knows it.
    """

    site: Site
    admin: Actor
    provider_id: str = ""

    async def change(self, **settings: Any) -> None:
        """Change the provider."""
        platform = self.site.world.platform
        async with transaction(platform.sessions) as session:
            row = await session.get_one(IdentityProviderRow, self.provider_id)
            await providers.update_provider(
                session, platform.keyring, self.admin, row, ProviderSettings(**settings)
            )

    # ── what a browser does ─────────────────────────────────────────────────────────────────────

    async def sign_in(
        self, http: httpx2.AsyncClient | None = None, then: str = "/organizations"
    ) -> httpx2.Response:
        """Go there and come back; return the answer to what comes back."""
        raise NotImplementedError

    async def must_sign_in(self, http: httpx2.AsyncClient | None = None) -> User:
        """Go there and come back, which must let in; return who it is."""
        http = http or self.site.nobody()
        answer = await self.sign_in(http)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/organizations"
        user = await self.who(http)
        assert user is not None
        return user

    async def who(self, http: httpx2.AsyncClient) -> User | None:
        """Return who is signed in in the browser."""
        secret = http.cookies.get(COOKIE) or ""
        try:
            async with transaction(self.site.world.platform.sessions) as session:
                actor, _ = await sessions.session_actor(session, secret)
                return await session.get_one(User, actor.id)
        except UnauthenticatedError:
            return None

    # ── what there is to see ────────────────────────────────────────────────────────────────────

    async def identities(self) -> list[Identity]:
        """Return every linked account."""
        async with transaction(self.site.world.platform.sessions) as session:
            return list(await session.scalars(select(Identity).order_by(Identity.created_at)))

    async def told(self, name: str) -> list[EventRow]:
        """Return the events of that name."""
        query = select(EventRow).where(EventRow.name == name).order_by(EventRow.id)
        async with transaction(self.site.world.platform.sessions) as session:
            return list(await session.scalars(query))

    async def user(self, name: str, **settings: Any) -> User:
        """Make a user."""
        async with transaction(self.site.world.platform.sessions) as session:
            return await factories.make_user(session, name, **settings)


@dataclass(kw_only=True)
class Door(Doorway):
    """A provider that speaks OpenID Connect."""

    idp: IdentityProvider

    @classmethod
    async def make(cls, site: Site, idp: IdentityProvider, **settings: Any) -> "Door":
        """Make a site admin, who makes the provider."""
        async with transaction(site.world.platform.sessions) as session:
            admin = actor_of(await factories.make_user(session, "boss", is_site_admin=True))
        door = cls(site, admin, idp=idp)
        door.provider_id = await door.add(**settings)
        return door

    async def add(
        self, name: str = "Acme", kind: Kind = Kind.OIDC, issuer: str = "", **settings: Any
    ) -> str:
        """Make another provider at the same stand-in; return its id."""
        given = ProviderSettings(
            name=name,
            issuer=issuer or self.idp.url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            **settings,
        )
        platform = self.site.world.platform
        async with transaction(platform.sessions) as session:
            row = await providers.create_provider(
                session, platform.keyring, self.admin, kind, given
            )
            return row.id

    async def leave(self, http: httpx2.AsyncClient, then: str = "/organizations") -> str:
        """Press the button; return where the provider sends the browser back to, as a path."""
        path = f"/login/with/{self.provider_id}"
        answer = await http.get(path, params={"then": then})
        assert answer.status_code == 303, answer.text
        return self.there(answer.headers["location"])

    def there(self, url: str) -> str:
        """Be at the provider; return the path that it sends back to."""
        parts = urlsplit(self.idp.visit(url))
        return f"{parts.path}?{parts.query}"

    async def sign_in(
        self, http: httpx2.AsyncClient | None = None, then: str = "/organizations"
    ) -> httpx2.Response:
        """Go there and come back; return the answer to what comes back."""
        http = http or self.site.nobody()
        return await http.get(await self.leave(http, then))

    async def link(self, browser: Browser) -> httpx2.Response:
        """Ask for a link in a browser, go there and come back."""
        page = await browser.get("/account/identities")
        token = page.partition('name="form_token" value="')[2].partition('"')[0]
        path = f"/account/identities/link/{self.provider_id}"
        answer = await browser.http.post(path, data={"form_token": token})
        assert answer.status_code == 303, answer.text
        return await browser.http.get(self.there(answer.headers["location"]))
