"""What attacks on signing in by SAML share."""

import httpx2

from landform.web.pages import COOKIE
from tests.federation.saml_door import SamlDoor
from tests.standins.saml_provider import SAML, Element


async def must_be_refused(door: SamlDoor, answer: httpx2.Response, status: int = 401) -> None:
    assert answer.status_code == status, answer.text
    assert COOKIE not in answer.cookies
    assert await door.identities() == []


def part(assertion: Element, name: str) -> Element:
    found = assertion.find(f".//{{{SAML}}}{name}")
    assert found is not None
    return found
