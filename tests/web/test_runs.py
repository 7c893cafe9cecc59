"""The page of a run: what it says, what it offers to whom, and what forms on it do."""

import re
from html import unescape

import msgspec
import pytest

from landform.contract import Artefact, LogStream, Outcome, Phase, PhaseJob
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import attempts
from landform.runs.models import Run
from landform.web import log_reading
from landform.workspaces.models import Workspace
from tests import factories
from tests.files import make_state
from tests.web.pages import Site, text_of

PLAN = {
    "resource_changes": [
        {
            "address": "null_resource.old",
            "type": "null_resource",
            "action_reason": "delete_because_no_resource_config",
            "change": {"actions": ["delete"], "before": {"id": "1"}, "after": None},
        },
        {
            "address": "module.net.aws_subnet.a",
            "module_address": "module.net",
            "type": "aws_subnet",
            "previous_address": "aws_subnet.a",
            "action_reason": "replace_because_cannot_update",
            "change": {
                "actions": ["delete", "create"],
                "before": {"cidr": "10.0.0.0/24", "key": "x"},
                "after": {"cidr": "10.0.1.0/24", "key": "x"},
                "after_unknown": {"id": True},
                "before_sensitive": {"key": True},
                "after_sensitive": {"key": True},
                "replace_paths": [["cidr"]],
            },
        },
        {"address": "null_resource.same", "change": {"actions": ["no-op"]}},
    ],
    "output_changes": {"url": {"actions": ["create"], "before": None, "after": "http://x/"}},
}

CONFIRM = {"of": "confirm", "step": "confirm"}
DISCARD = {"of": "discard", "step": "discard"}


async def planned(site: Site, plan: object = PLAN) -> str:
    """Return a run whose plan waits to be confirmed."""
    run_id = await site.world.create(message="Change the network")
    job = await site.world.must_begin(run_id)
    document = msgspec.json.encode(plan)
    await attempts.put(site.world.platform, job, Artefact.PLAN_JSON_REDACTED, document)
    await site.world.append(job, 0, b"One line\n\x1b[31mbad\x1b[0m <b>&\x1b]0;t\x07\n")
    await site.world.finish(job)
    return run_id


async def applying(site: Site) -> tuple[str, PhaseJob]:
    """Have a plan confirmed, and a worker begin to apply it; return the run's id and the apply."""
    run_id = await planned(site)
    await site.world.confirm(run_id)
    return run_id, await site.world.must_begin(run_id, Phase.APPLY)


async def test_a_plan_is_shown_by_module_with_reasons_and_without_secrets(site: Site) -> None:
    run_id = await planned(site)
    page = await site.owner.get(f"{await site.place()}/runs/{run_id}")
    text = text_of(page)
    assert "because it is no longer in the configuration" in text
    assert "moved from aws_subnet.a" in text
    assert "forces replacement" in text
    assert "(known after apply)" in text
    assert "null_resource.same" not in text
    assert "http://x/" in text
    assert "(sensitive)" not in text_of(page.split("unchanged")[0])


async def test_a_confirmation_repeats_what_will_be_destroyed(site: Site) -> None:
    run_id = await planned(site)
    page = text_of(await site.owner.get(f"{await site.place()}/runs/{run_id}?ask=confirm"))
    page = page.replace("\N{MINUS SIGN}", "-")
    assert "2 resources will be destroyed: - null_resource.old - module.net.aws_subnet.a" in page


async def test_the_bytes_of_a_log_stay_text(site: Site) -> None:
    run_id = await planned(site)
    page = await site.owner.get(f"{await site.place()}/runs/{run_id}")
    assert '<span class="ansi-1">bad</span> &lt;b&gt;&amp;' in page
    assert "\x1b" not in page
    assert "\x07" not in page


async def test_a_run_is_confirmed_from_its_page(site: Site) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    page = text_of(await site.owner.post(here, {"step": "confirm", "comment": "go ahead"}))
    assert "Confirmed." in page
    assert "go ahead" in page
    assert await site.world.status(run_id) == "apply_queued"


async def test_a_run_is_discarded_and_run_again(site: Site) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    assert "Discarded." in text_of(await site.owner.post(here, {"step": "discard"}))
    assert await site.world.status(run_id) == "discarded"
    await site.owner.post(here, {"step": "retry"})
    again = (await site.world.runs())[-1]
    assert again.id != run_id
    assert again.message == "Change the network"


async def test_a_comment_of_a_step_that_somebody_else_was_quicker_than_can_be_sent_again(
    site: Site,
) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    await site.world.confirm(run_id)
    page = await site.owner.post(here, {**DISCARD, "comment": "Not on a Friday"}, status=422)
    assert "cannot be discarded" in text_of(page)
    assert "autofocus" in page[page.index('role="alert"') :].split(">")[0]
    form = page[page.index(f'action="{here}/comments"') :].split("</form>")[0]
    assert "Not on a Friday</textarea>" in form
    assert page.count("Not on a Friday") == 1


async def test_a_refused_step_that_is_still_offered_asks_again_with_its_comment(
    site: Site,
) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    async with transaction(site.world.platform.sessions) as session:
        (await session.get_one(Run, run_id)).state_version_id = "sv-another"
    page = await site.owner.post(here, {**CONFIRM, "comment": "go ahead"}, status=422)
    dialog = page[page.index('id="ask-confirm"') :].split("</dialog>")[0]
    assert " open>" in dialog[:200]
    assert 'value="go ahead"' in dialog
    assert "changed after it was made" in text_of(dialog)
    assert page.count("go ahead") == 1
    assert 'role="alert"' not in page


async def test_who_may_only_read_is_offered_nothing_and_refused(site: Site) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    reader = await site.member("read")
    assert "Confirm and apply" not in await reader.get(here)
    page = text_of(await reader.post(here, {"step": "confirm"}, status=403))
    assert "You lack the permission to queue applies" in page
    assert await site.world.status(run_id) == "planned"


async def test_a_plan_can_be_searched_and_narrowed_by_action(site: Site) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    narrowed = text_of(await site.owner.get(f"{here}/plan?action=delete"))
    assert "null_resource.old" in narrowed
    assert "aws_subnet" not in narrowed
    assert "No change matches." in text_of(await site.owner.get(f"{here}/plan?find=nothing"))
    assert "10.0.1.0/24" in text_of(await site.owner.get(f"{here}/plan/1"))
    assert "The plan has no change 9." in text_of(await site.owner.get(f"{here}/plan/9", 404))


async def test_a_plan_of_five_thousand_resources_is_shown_a_page_at_a_time(site: Site) -> None:
    plan = {
        "resource_changes": [
            {
                "address": f"null_resource.many[{number}]",
                "change": {"actions": ["create"], "before": None, "after": {"n": number}},
            }
            for number in range(5000)
        ]
    }
    run_id = await planned(site, plan)
    here = f"{await site.place()}/runs/{run_id}"
    page = await site.owner.get(here)
    assert page.count('id="change-') == 200
    assert len(page) < 500_000
    assert "null_resource.many[4999]" in await site.owner.get(f"{here}?find=many[4999]")


async def test_a_large_log_is_shown_in_part_searched_and_downloaded_whole(site: Site) -> None:
    run_id = await site.world.create()
    job = await site.world.must_begin(run_id)
    lines = [b"line %07d of the log\n" % number for number in range(100_000)]
    content, at = b"".join(lines), 0
    for begin in range(0, len(content), 1_000_000):
        block = content[begin : begin + 1_000_000]
        await site.world.append(job, at, block)
        at += len(block)
    here = f"{await site.place()}/runs/{run_id}"
    page = await site.owner.get(here)
    assert "line 0099999 of the log" in page
    assert "line 0000000 of the log" not in page
    last = await site.owner.get(f"{here}/log/plan?end=yes")
    assert "line 0099999 of the log" in last
    assert "?end=yes" in await site.owner.get(f"{here}/log/plan")
    assert "?end=yes#end" not in last
    found = await site.owner.get(f"{here}/log/plan?q=0050000%20of")
    offset = 50_000 * len(lines[0])
    assert f"?at={offset}&amp;" in found
    assert f'id="plan-L{offset}"' in await site.owner.get(f"{here}/log/plan?at={offset}")
    common = text_of(await site.owner.get(f"{here}/log/plan?q=LINE%20000"))
    assert "300 matches, and more" in common
    answer = await site.owner.http.get(f"{here}/log/plan/download")
    assert answer.content == content
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_match_is_followed_without_searching_the_log_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await site.world.create()
    job = await site.world.must_begin(run_id)
    await site.world.append(job, 0, b"one\n\x1b[1mne\x1b[0medle\nthree\n")
    log = f"{await site.place()}/runs/{run_id}/log/plan"
    found = await site.owner.get(f"{log}?q=NEEDLE")
    link = re.search(r'href="(\?at=4&amp;q=NEEDLE)#plan-L4"', found)
    assert link is not None, "what has a colour in its middle is found, too"
    looked = log_reading.chunks
    monkeypatch.delattr(log_reading, "chunks")
    followed = await site.owner.get(log + unescape(link[1]))
    assert "1 match" in followed
    assert 'aria-current="true">needle</a>' in followed
    assert 'id="plan-L4"' in followed
    log_reading.SEARCHES.forget()
    assert "Show the matches of “NEEDLE”" in await site.owner.get(log + unescape(link[1]))
    monkeypatch.setattr(log_reading, "chunks", looked, raising=False)
    await site.world.append(job, 25, b"a needle more\n")
    assert "2 matches" in await site.owner.get(f"{log}?q=NEEDLE")


async def test_the_log_of_a_plan_is_read_once_it_is_unfolded_when_its_apply_has_begun(
    site: Site,
) -> None:
    run_id = await planned(site)
    here = f"{await site.place()}/runs/{run_id}"
    line = f'<a class="log-link quiet" href="{here}/log/plan?at=0#plan-L0"'
    assert line in await site.owner.get(here)
    await site.world.confirm(run_id)
    await site.world.must_begin(run_id, Phase.APPLY)
    page = await site.owner.get(here)
    assert "plan-L0" not in page
    assert f'href="{here}/log/plan?end=yes#end">Show the last lines</a>' in page
    asked = {"hx-request": "true"}
    lines = await site.owner.http.get(f"{here}/log/plan", headers=asked)
    assert lines.text.startswith('<span class="log-line" id="plan-L0">')
    assert line in lines.text
    stranger = await site.stranger()
    hidden = await stranger.http.get(f"{here}/log/plan", headers=asked)
    assert hidden.status_code == 404


async def test_an_apply_is_told_resource_by_resource(site: Site) -> None:
    run_id, job = await applying(site)
    resource = {"addr": "null_resource.a"}
    hook = {"resource": resource, "action": "create"}
    said = [
        {"type": "apply_start", "@timestamp": "2026-11-25T10:00:00Z", "hook": hook},
        {"type": "apply_complete", "hook": {**hook, "elapsed_seconds": 7}},
        {"type": "apply_start", "hook": {**hook, "resource": {"addr": "null_resource.b"}}},
        {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "It broke"}},
    ]
    log = b"".join(msgspec.json.encode(line) + b"\n" for line in said)
    await site.world.append(job, 0, log, LogStream.JSON)
    text = text_of(await site.owner.get(f"{await site.place()}/runs/{run_id}"))
    assert "Created null_resource.a 7 s" in text
    assert "Creating null_resource.b" in text
    assert "It broke" in text


async def test_what_may_be_missing_from_the_state_is_shown_with_what_to_do(site: Site) -> None:
    run_id, job = await applying(site)
    lost = [{"address": "null_resource.lost", "id_value": "42"}]
    await site.world.finish(job, outcome=Outcome.ERRORED, error="It died.", maybe_not_in_state=lost)
    text = text_of(await site.owner.get(f"{await site.place()}/runs/{run_id}"))
    assert "Maybe not in the state" in text
    assert "1 object made, or being made, after its beginning" in text
    assert 'import { to = null_resource.lost id = "42" }' in text


async def test_the_last_state_that_a_dead_apply_saved_is_one_click_away(site: Site) -> None:
    run_id, job = await applying(site)
    await attempts.put_state(site.world.platform, job, make_state(1), final=False)
    lost = [{"address": "null_resource.lost"}]
    await site.world.finish(job, outcome=Outcome.ERRORED, error="It died.", maybe_not_in_state=lost)
    state = await site.world.current_state()
    page = await site.owner.get(f"{await site.place()}/runs/{run_id}")
    assert f'{await site.place()}/states/{state.id}"' in page
    assert "# to = null_resource.lost" in text_of(page)


async def test_lists_of_runs_are_narrowed_by_status_and_text(site: Site) -> None:
    run_id = await planned(site)
    for path in (f"{await site.place()}/runs", f"/organizations/{site.world.organization}/runs"):
        assert run_id in await site.owner.get(f"{path}?status=planned&q=network")
        assert run_id not in await site.owner.get(f"{path}?status=errored")
        assert run_id not in await site.owner.get(f"{path}?q=something-else")


async def test_a_run_is_started_from_a_form(site: Site) -> None:
    form = f"{await site.place()}/runs/new"
    page = await site.owner.post(form, {"kind": "plan", "message": "Only a plan"})
    assert "Only a plan" in page
    run = (await site.world.runs())[-1]
    assert (run.plan_only, run.source) == (True, "tfe-ui")
    fields = {"kind": "refresh", "replace": "null_resource.a\nnull_resource.b"}
    refused = text_of(await site.owner.post(form, fields, status=422))
    assert "Replacing a resource goes with an ordinary plan only." in refused


async def test_the_search_finds_workspaces_runs_by_id_and_pages(site: Site) -> None:
    run_id = await site.world.create()
    name = (await site.world.workspace()).name
    assert name in await site.owner.get(f"/search/found?q={name[:8]}")
    assert re.search(
        rf'href="[^"]+/runs/{run_id}"', await site.owner.get(f"/search/found?q={run_id}")
    )
    stranger = await site.stranger()
    assert run_id not in (await stranger.get(f"/search/found?q={run_id}")).split("Nothing")[0]
    organization = site.world.organization
    audit = f'href="/organizations/{organization}/audit"'
    assert audit in await site.owner.get(f"/search/found?q=audit&in={organization}")
    states = f'href="{await site.place()}/states"'
    assert states in await site.owner.get(f"/search/found?q={name}%20st")
    reader = await site.member("plan")
    found = await reader.get(f"/search/found?q={name}%20r&in={organization}")
    assert f'href="{await site.place()}/runs"' in found
    assert audit not in await reader.get(f"/search/found?q=audit&in={organization}")
    custom = {"workspace-access": {"runs": "read"}}
    async with transaction(site.world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, site.world.workspace_id)
        actor = await factories.make_actor(session, workspace, "custom", custom)
    lesser = await site.browser(actor)
    assert states not in await lesser.get(f"/search/found?q={name}%20st")


async def test_who_is_asked_approves_a_plan_and_then_it_can_be_confirmed(site: Site) -> None:
    world, place = site.world, await site.place()
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        user = await factories.make_user(session)
        team = await factories.make_team(session, organization, "security", members=[user])
        workspace = await session.get_one(Workspace, world.workspace_id)
        await factories.grant(session, team, workspace, "read")
    said = await site.owner.post(
        f"{place}/access/approvals", {"needed": "1", "teams": team.id}, of=f"{place}/access"
    )
    assert "Saved." in said
    run_id = await planned(site)
    here = f"{place}/runs/{run_id}"
    before = await site.owner.get(here)
    assert "Waiting for 1 approval of security. 0 of 1 given" in text_of(before)
    assert "Confirm and apply" not in before
    assert ">Approve<" not in before
    approver = await site.browser(actor_of(user))
    assert ">Approve<" in await approver.get(here)
    assert "Approved." in await approver.post(here, {"step": "approve", "comment": "Fine."})
    after = await site.owner.get(here)
    assert "Confirm and apply" in after
    assert "Fine." in after


async def test_a_rule_that_cannot_be_is_said_on_its_page(site: Site) -> None:
    place = await site.place()
    page = await site.owner.post(f"{place}/access/approvals", {"needed": "1"}, of=f"{place}/access")
    assert "whose members may approve" in page
