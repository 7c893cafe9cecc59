"""A new user, in a real browser, from the first start to an applied push of Azure DevOps."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.cli.command import eventually
from tests.e2e.platforms import Platform, platform_in
from tests.evidence import TRACED, has_failed, place_for
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.azure_world import EVERYTHING

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD = "a password of one's own"
MAIN = 'resource "terraform_data" "%s" {}\n'


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with platform_in(
        tmp_path / "platform",
        LANDFORM_EGRESS_ALLOW="127.0.0.1",
        LANDFORM_VCS_POLL_S="1",
        LANDFORM_TOOLCHAIN_OFFLINE="true",
    ) as platform:
        yield platform


@pytest.fixture
def page(platform: Platform, request: pytest.FixtureRequest) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("NO BROWSER TESTS: there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(base_url=platform.url)
        context.tracing.start(**TRACED)
        page = context.new_page()
        page.set_default_timeout(30_000)
        expect.set_options(timeout=60_000)
        yield page
        if has_failed(request.node):
            place = place_for(request.node)
            page.screenshot(path=place / "page.png", full_page=True)
            context.tracing.stop(path=place / "trace.zip")
        browser.close()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def sign_in(page: Page, platform: Platform) -> None:
    """Sign in with the one-time password, and set one of one's own."""
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(platform.password)
    press(page, "Sign in")
    fields = page.locator("input[type=password]")
    expect(fields).to_have_count(3)
    for field, text in zip(fields.all(), (platform.password, PASSWORD, PASSWORD), strict=True):
        field.fill(text)
    page.locator("form button").last.click()


def make_organization(page: Page) -> None:
    """Make the organization acme, as the first steps ask to."""
    expect(page.get_by_role("heading", name="Welcome to Landform")).to_be_visible()
    page.get_by_role("link", name="New organization").click()
    page.get_by_label("Name").fill("acme")
    page.get_by_label("Email").fill("ann@example.com")
    page.locator("main form button").last.click()
    expect(page.get_by_text("Organization acme was created.")).to_be_visible()


def confirm(page: Page) -> None:
    """Confirm the plan of the run whose page is open, and watch it until it is applied."""
    head = page.locator("#run-head")
    expect(head.locator(".status")).to_have_text("Needs confirmation")
    head.get_by_text("Confirm and apply").first.click()
    question = page.get_by_role("dialog", name="Apply this plan?")
    question.get_by_role("button", name="Confirm and apply").click()
    expect(head.locator(".status")).to_have_text("Applied")


def connect_azure(page: Page, azure: AzureDevOps, token: str) -> None:
    """Connect the organization acme to Azure DevOps' Acme, from the first steps."""
    page.get_by_role("link", name="Connect a provider").click()
    page.get_by_role("link", name="Azure DevOps Services").click()
    page.get_by_role("link", name="Access token").click()
    page.get_by_label("Azure DevOps organization").fill("Acme")
    page.get_by_label("Personal access token").fill(token)
    page.get_by_text("Other addresses").click()
    page.get_by_label("Address of Azure DevOps").fill(azure.url)
    press(page, "Save")
    press(page, "Test")
    expect(page.get_by_text("It works.")).to_be_visible()


def make_workspace(page: Page, name: str, identifier: str) -> None:
    """Make a workspace that follows a repository."""
    page.goto("/organizations/acme/workspaces/new")
    page.get_by_role("link", name="Choose a repository").click()
    page.get_by_role("link", name=re.compile("Azure DevOps Services")).click()
    page.get_by_role("link", name=identifier).click()
    expect(page.locator("#preview")).to_contain_text("would have started a run")
    page.get_by_label("Name").fill(name)
    press(page, "Create the workspace")
    expect(page.get_by_text(f"was created, and follows {identifier}")).to_be_visible()


def open_run(page: Page, message: str) -> None:
    """Wait for a run of the workspace network, and open it."""

    def is_shown() -> bool:
        page.goto("/app/acme/network/runs")
        return page.get_by_role("link", name=message).count() > 0

    eventually(is_shown, within_s=60, say=lambda: page.inner_text("main"))
    page.get_by_role("link", name=message).first.click()


def test_the_first_sign_in_leads_to_the_example_applied(page: Page, platform: Platform) -> None:
    sign_in(page, platform)
    make_organization(page)
    press(page, "Plan the example")
    expect(page.get_by_role("heading", name="Greet the world")).to_be_visible()
    expect(page.locator("main")).to_contain_text("terraform_data.greeting")
    confirm(page)
    page.goto("/app/acme/example")
    expect(page.locator("main")).to_contain_text("Hello, world!")


def test_the_first_sign_in_leads_to_an_applied_push_and_a_planned_pull_request(
    page: Page, platform: Platform, azure: AzureDevOps
) -> None:
    theirs = azure.organization("Acme")
    ann = theirs.identity("Ann")
    repository = theirs.repository("Cloud Team", "infra")
    azure.people.push(repository, ann, {"main.tf": MAIN % "first"})

    sign_in(page, platform)
    make_organization(page)
    connect_azure(page, azure, azure.tokens.issue(ann, EVERYTHING))
    make_workspace(page, "network", "Acme/Cloud Team/_git/infra")
    eventually(lambda: bool(theirs.subscriptions), within_s=60)

    azure.people.push(repository, ann, {"main.tf": MAIN % "second"}, message="Add the second")
    open_run(page, "Add the second")
    head = page.locator("#run-head")
    expect(head).to_contain_text("Ann started it by a push")
    confirm(page)
    expect(page.locator("#run-apply")).to_contain_text("terraform_data.second")
    page.goto("/organizations/acme/vcs")
    page.get_by_role("link", name="Azure DevOps Services").last.click()
    expect(page.get_by_role("region", name="Deliveries")).to_contain_text("git.push")

    azure.people.push(repository, ann, {"main.tf": MAIN % "third"}, branch="topic")
    pull = azure.people.open_pull(repository, ann, "topic", title="Try a third")
    open_run(page, "Try a third")
    expect(head.locator(".status")).to_have_text("Planned, done")
    expect(head).to_contain_text("Ann started it by a pull request")
    expect(head).to_contain_text(f"pull request {pull.id}, topic at")
    expect(page.locator("main")).to_contain_text("terraform_data.third")
    expect(page.get_by_text("Confirm and apply")).to_have_count(0)
    eventually(lambda: [each["state"] for each in pull.statuses][-1:] == ["succeeded"], within_s=60)
    eventually(lambda: len(pull.threads) == 1, within_s=60, say=lambda: pull.threads)
    azure.people.push(repository, ann, {"main.tf": MAIN % "fourth"}, branch="topic")
    eventually(lambda: "terraform_data.fourth" in str(pull.threads), within_s=60)
    assert len(pull.threads) == 1, "the comment is written anew in its place"
