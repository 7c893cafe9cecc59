"""`terraform login` and `logout`, with a stand-in for the browser."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.e2e.configurations import COLOR
from tests.e2e.platforms import Organization, Platform
from tests.e2e.terraform import Terminal, Terraform

_FIELD = re.compile(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"')
_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
_NEW_PASSWORD = "a quite new password 47"


class Browser:
    """Follows redirects, keeps cookies, and fills in forms."""

    def __init__(self) -> None:
        self.client = httpx2.Client(follow_redirects=True, trust_env=False, timeout=30.0)

    def close(self) -> None:
        self.client.close()

    def open(self, url: str) -> httpx2.Response:
        return self.client.get(url)

    def decide(self, page: httpx2.Response, decision: str) -> httpx2.URL:
        """Answer the page that asks; return where on this machine that leads, after a visit."""
        self.client.follow_redirects = False
        answer = self.submit(page, decision=decision)
        self.client.follow_redirects = True
        callback = httpx2.URL(answer.headers["location"])
        with suppress(httpx2.RemoteProtocolError):  # a CLI that has its code leaves at once
            self.client.get(callback)
        return callback

    def submit(self, page: httpx2.Response, **filled: str) -> httpx2.Response:
        """Send the form of `page`, with what it holds already and what is filled in."""
        _, _, main = page.text.partition("<main>")
        held = {name: html.unescape(value) for name, value in _FIELD.findall(main)}
        action = _ACTION.search(main)
        assert action, page.text
        return self.client.post(page.url.join(action[1]), data={**held, **filled})


@dataclass
class Account:
    """The admin, whose one-time password has to be changed once."""

    platform: Platform
    password: str = ""

    def sign_in(self, browser: Browser, page: httpx2.Response) -> httpx2.Response:
        """Sign in on the page that asks for it; return the page that was wanted."""
        password = self.password or self.platform.password
        page = browser.submit(page, username="admin", password=password)
        if not self.password:
            page = browser.submit(page, old=password, password=_NEW_PASSWORD, again=_NEW_PASSWORD)
            self.password = _NEW_PASSWORD
        return page


@pytest.fixture(scope="module")
def account(platform: Platform) -> Account:
    return Account(platform)


@pytest.fixture
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def terraform(organization: Organization) -> Terraform:
    """A CLI that knows where the services of the host are, and has no token for it."""
    terraform = organization.directory(organization.cloud(), COLOR)
    home = Path(terraform.environment["HOME"])
    (home / ".terraform.d").mkdir()  # the CLI's check for new versions makes it elsewhere
    services, _, _ = organization.platform.config.read_text().partition("credentials ")
    (home / ".terraformrc").write_text(services)
    environment = {**terraform.environment, "TF_CLI_CONFIG_FILE": "", "BROWSER": "false"}
    return Terraform(terraform.directory, environment)


def page_of(terminal: Terminal) -> str:
    terminal.wait_for("Do you want to proceed?")
    terminal.type("yes")
    return terminal.wait_for(r"(?m)^ +(http://\S+/oauth/authorize\?\S+)$")[1]


def test_a_login_gives_the_cli_a_token_that_works_until_the_logout(
    platform: Platform, terraform: Terraform, browser: Browser, account: Account
) -> None:
    assert "Required token could not be found" in terraform.fails("init").said
    with terraform.at_terminal("login", platform.hostname) as terminal:
        asked = account.sign_in(browser, browser.open(page_of(terminal)))
        assert "<em>terraform login</em>" in asked.text
        assert browser.decide(asked, "allow").host == "localhost"
        done = terminal.end()
    assert done.status == 0, done
    assert "Success!" in done.said
    terraform.ok("init")
    assert "Plan: 1 to add" in terraform.ok("plan").said

    stored = Path(terraform.environment["HOME"]) / ".terraform.d/credentials.tfrc.json"
    token = json.loads(stored.read_text())["credentials"][platform.hostname]["token"]
    assert token.startswith("lfu_")
    details = httpx2.get(
        f"{platform.url}/api/v2/account/details",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=30.0,
    )
    assert details.json()["data"]["attributes"]["username"] == "admin"

    terraform.ok("logout", platform.hostname)
    assert "Required token could not be found" in terraform.fails("plan").said


def test_a_login_that_is_refused_in_the_browser_is_refused(
    platform: Platform, terraform: Terraform, browser: Browser, account: Account
) -> None:
    with terraform.at_terminal("login", platform.hostname) as terminal:
        asked = account.sign_in(browser, browser.open(page_of(terminal)))
        callback = browser.decide(asked, "deny")  # of which the CLI takes no notice: it waits on
        assert callback.host == "localhost"
        assert callback.params["error"] == "access_denied"
        assert "code" not in callback.params
    assert "Required token could not be found" in terraform.fails("init").said


def test_a_code_is_sent_to_nobody_but_a_command_line_on_the_same_machine(
    platform: Platform, browser: Browser, account: Account
) -> None:
    wanted = (
        f"{platform.url}/oauth/authorize?client_id=terraform-cli&response_type=code&state=s"
        "&code_challenge=0123456789012345678901234567890123456789012"
        "&code_challenge_method=S256&redirect_uri=https://evil.example/login"
    )
    page = account.sign_in(browser, browser.open(wanted))
    assert urlsplit(str(page.url)).hostname == "127.0.0.1"
    assert page.status_code == 422
    assert "decision" not in page.text


def test_a_wrong_password_signs_nobody_in(
    platform: Platform, terraform: Terraform, browser: Browser
) -> None:
    with terraform.at_terminal("login", platform.hostname) as terminal:
        page = browser.submit(
            browser.open(page_of(terminal)), username="admin", password="not the password"
        )
    assert page.status_code == 401
    assert "allow" not in page.text
