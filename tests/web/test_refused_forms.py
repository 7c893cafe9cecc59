"""Every form that something is typed into: refused, it loses nothing of that, and says why.

Each form of each page is filled in with what cannot be, and sent, by a browser without scripts.
A new page is visited as soon as it has its line in `tests/matrix/routes.txt`.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from tests.browser.test_every_page import MORE, lines, of_path
from tests.matrix.walk import make_ground, paths_of
from tests.web.pages import Browser, Site

_TYPED: Final = ("text", "email", "url", "number", "date", "search")
_SECRET: Final = ("url", "token", "private_key", "code")
PASSWORD: Final = "a secret that is shown to nobody"
SAID_ABOVE: Final = ("/workspaces/bulk",)  # where what is wrong is no field of the form
_OF_STRANGERS: Final = ("/login", "/password", "/invitation")  # have tests of their own


@dataclass
class Shown:
    """A form of a page: what is typed into it by name, and what else it sends."""

    action: str
    typed: dict[str, str] = field(default_factory=dict)
    rest: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    button: tuple[str, str] | None = None

    @property
    def of(self) -> tuple[str, str]:
        """Which form it is."""
        return self.action, dict(self.rest).get("of", "")


class Forms(HTMLParser):
    """The forms of a page that are sent by POST."""

    def __init__(self, page: str, path: str) -> None:
        super().__init__()
        self.found: list[Shown] = []
        self._path, self._form, self._area, self._choice = path, Shown(""), "", ""
        self._is_in = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or one of its fields."""
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form" and given.get("method") == "post":
            self._form, self._is_in = Shown(given.get("action", self._path)), True
            self.found.append(self._form)
        elif self._is_in and tag == "option" and self._choice:
            chosen = dict(self._form.rest).get(self._choice)
            if chosen is None or "selected" in given:
                rest = [each for each in self._form.rest if each[0] != self._choice]
                self._form.rest = [*rest, (self._choice, given.get("value", ""))]
        elif self._is_in and tag == "button" and self._form.button is None:
            self._form.button = (name, given.get("value", ""))
        elif self._is_in and name and "disabled" not in given:
            self._take(tag, name, given)

    def _take(self, tag: str, name: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text") if tag == "input" else tag
        if "aria-invalid" in given:
            self._form.wrong.append(name)
        if tag == "select":
            self._choice = name
        elif tag == "textarea":
            self._form.typed[name], self._area = "", name
        elif kind in _TYPED:
            self._form.typed[name] = given.get("value", "")
        elif kind == "password":
            self._form.rest.append((name, PASSWORD))
        elif kind == "hidden" or (kind in ("checkbox", "radio") and "checked" in given):
            self._form.rest.append((name, given.get("value", "")))

    def handle_data(self, data: str) -> None:
        """Note what is in an area."""
        if self._area:
            self._form.typed[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an area, or of a form."""
        self._area = "" if tag == "textarea" else self._area
        self._choice = "" if tag == "select" else self._choice
        self._is_in = self._is_in and tag != "form"


async def test_a_refused_form_shows_what_was_typed_and_why(site: Site) -> None:
    place = await make_ground(site.world.platform)
    browser = await site.browser(place.world.owner)
    asked = [*lines(), *map(of_path, MORE)]
    seen: set[tuple[str, str]] = set()
    lost: list[str] = []
    for path in await paths_of(site.app, place, asked):
        answer = await browser.http.get(path, follow_redirects=True)
        forms = Forms(answer.text, answer.url.path).found
        known = {form.action for form in forms}
        for form in forms:
            if form.typed and form.of not in seen and not form.action.startswith(_OF_STRANGERS):
                seen.add(form.of)
                lost += await _lost(browser, form, known)
    assert not lost, "\n".join(lost)


async def _lost(browser: Browser, form: Shown, known: set[str]) -> list[str]:
    """Return what is wrong with the answer to a form that cannot be."""
    typed = {name: f"✗{name}✗" * 3000 for name in form.typed}
    button = [form.button] if form.button else []
    sent = urlencode([*form.rest, *button, *typed.items()])
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await browser.http.post(form.action, content=sent, headers=headers)
    which = " ".join(form.of)
    again = Forms(answer.text, form.action).found
    mine = next((each for each in again if each.typed and each.of == form.of), None)
    if answer.status_code != HTTPStatus.UNPROCESSABLE_ENTITY or mine is None:
        return [
            f"{which}: {answer.status_code} {answer.headers.get('location', answer.text[:300])}"
        ]
    secret = (*_SECRET, "value") if "is_sensitive" in dict(form.rest) else _SECRET
    kept = {name: value for name, value in mine.typed.items() if name not in secret}
    faults = [f"{which}: {name} is lost" for name in kept if kept[name].strip() != typed[name]]
    if PASSWORD in answer.text or any(
        typed[name] in answer.text for name in typed if name in secret
    ):
        faults.append(f"{which}: a secret is shown")
    if not mine.wrong and not form.action.split("?")[0].endswith(SAID_ABOVE):
        faults.append(f"{which}: nothing is marked as wrong")
    if not mine.wrong and 'role="alert"' not in answer.text:
        faults.append(f"{which}: it does not say why")
    astray = {each.action for each in again} - known
    return faults + [f"{which}: its page has a form to {action}" for action in astray]
