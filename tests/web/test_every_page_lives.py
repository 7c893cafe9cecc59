"""Every page there is, by the application's own routes: it is kept true, or says here why not."""

import re
from html import unescape
from typing import Final
from urllib.parse import parse_qs

from landform.kit.events import Event
from landform.web.following import kinds
from tests.browser.test_every_page import RUN, STATE, lines
from tests.matrix.walk import make_ground, paths_of
from tests.web.pages import Site

_ASKS: Final = "asks for something that is not there yet; the answer is checked when it is given"
STAYS: Final = {
    "/login": "in no session",
    "/password": _ASKS,
    "/oauth/authorize": _ASKS,
    "/invitation/{secret}": _ASKS,
    "/callback/v1/vcs/{vcs_id}": "says how a sign-in at a provider ended",
    "/callback/v1/vcs/{vcs_id}/register": _ASKS,
    "/organizations/{organization}/vcs/new": _ASKS,
    "/search": "answers a question that was asked",
    "/organizations/new": _ASKS,
    "/organizations/{organization}/workspaces/new": _ASKS,
    "/organizations/{organization}/workspaces/new/repository": _ASKS,
    "/app/{organization}/{workspace}/repository/choose": _ASKS,
    "/app/{organization}/{workspace}/runs/new": _ASKS,
    "/site/sign-in/new": _ASKS,
    f"{RUN}/plan/{{place}}": "a change of a plan, which stays as it was made",
    "/app/{organization}/{workspace}/states/diff": "two versions, which stay as they were saved",
    f"{STATE}/graph": "a version, which stays as it was saved",
    f"{STATE}/rollback": _ASKS,
}


async def test_every_page_is_kept_true_or_says_why_not(site: Site) -> None:
    place = await make_ground(site.world.platform)
    browser = await site.browser(place.world.owner)
    asleep, astray = [], []
    for line, path in zip(lines(), await paths_of(site.app, place, lines()), strict=True):
        status = line.cells.get("site", "ok")
        page = await browser.get(path, 200 if status == "ok" else int(status))
        found = re.search(r'hx-sse:connect="([^"]+)"', page)
        if (found is None) != (line.path in STAYS):
            asleep.append(line.path)
        address, _, query = unescape(found[1] if found else "").partition("?")
        if address == "/follow":
            astray += [
                f"{line.path}: {on}"
                for on in parse_qs(query)["on"][0].split(",")
                if not is_known(on)
            ]
    assert not asleep, "\n".join(asleep)
    assert not astray, "\n".join(astray)


def is_known(on: str) -> bool:
    """Tell whether it is an id, a noun that has events, or the name of one."""
    place, _, what = on.rpartition("/")
    names = {each.__name__ for each in Event.__subclasses__()}
    return what in kinds() or what in names or (not place and "-" in what)
