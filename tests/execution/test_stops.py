"""Phases that are stopped, and what is left of them."""

import asyncio
from pathlib import Path

import pytest

from landform.contract import Artefact, LogStream, Outcome, Stop
from landform.execution.host import Host
from landform.execution.phase import run_phase

from .conftest import TERRAFORM, Configure, apply_job, make_host, plan_job
from .recorder import Recorder
from .stopping import SLOW, alive, applying, gone

WAIT_S = 60.0
# Renewed every second: a machine that stands still for some seconds does not lose it.
LEASE_S = 5.0


def left(plane: Recorder) -> list[str]:
    resources = plane.states[-1].document["resources"]
    assert isinstance(resources, list)
    return sorted(resource["name"] for resource in resources)


async def test_a_canceled_apply_keeps_its_state(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host, grace_s=WAIT_S) as task:
        assert alive(mark)
        plane.order(Stop.INTERRUPT)
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.CANCELED, result
    assert result.maybe_not_in_state == ()
    assert left(plane) == ["first", "second"]
    assert plane.states[-1].final
    assert plane.results[-1] == result
    await gone(mark)


async def test_a_canceled_plan_is_canceled(
    plane: Recorder, host: Host, configure: Configure, silent: int
) -> None:
    configure(
        'data "terraform_remote_state" "x" {\n backend = "http"\n'
        ' config = { address = "http://127.0.0.1:PORT/" }\n}'.replace("PORT", str(silent))
    )
    job = plan_job()
    task = asyncio.create_task(run_phase(job, plane, host=host))
    await plane.until(lambda: "Refreshing..." in plane.text(job))
    plane.order(Stop.INTERRUPT)
    result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.CANCELED
    assert plane.results == [result]
    assert Artefact.PLAN not in plane.artefacts


async def test_a_cancel_that_came_before_the_start_runs_nothing(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(SLOW)
    plane.stop = Stop.INTERRUPT
    result = await run_phase(plan_job(), plane, host=host)
    assert result.outcome is Outcome.CANCELED


async def test_a_tool_that_ignores_its_interrupts_is_killed_with_all_its_tree(
    plane: Recorder, tmp_path: Path, configure: Configure, mark: str, any_host: Host
) -> None:
    tool = tmp_path / "stubborn"
    tool.write_text(
        "#!/bin/bash\n"
        f'if [ $1 != apply ]; then exec {TERRAFORM} "$@"; fi\n'
        'trap "echo heard" INT\n'
        f"(TAG={mark} setsid sleep 987 &)\n"
        "echo begun\n"
        f"while true; do TAG={mark} sleep 0.1; done\n"
    )
    tool.chmod(0o755)

    async def ensure(*_: object) -> Path:
        return tool

    host = make_host(tmp_path / "other", any_host.sandbox, ensure_tool=ensure)
    configure(SLOW)
    job = {"grace_s": 2.0}  # a shell on a busy machine hears each of the two by itself
    async with applying(plane, host, **job) as task:
        plane.order(Stop.INTERRUPT)
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.CANCELED
    assert plane.text(apply_job()).count("heard") == 2
    await gone(mark)


async def test_an_order_to_kill_is_obeyed_at_once_and_says_what_may_be_lost(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host) as task:
        await plane.until(lambda: bool(plane.created))
        plane.order(Stop.KILL)
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.CANCELED
    assert "by force" in result.error
    assert plane.created[0].address == "terraform_data.first"
    assert plane.created[0].id_value
    assert [made.address for made in result.maybe_not_in_state] == [
        "terraform_data.first",
        "terraform_data.second",
    ]
    await gone(mark)


async def test_an_apply_whose_lease_is_lost_dies_and_tells_nobody(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host, lease_s=LEASE_S) as task:
        plane.epoch = 2
        await gone(mark)
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.ERRORED
    assert len(plane.results) == 1  # the plan's
    assert plane.states == []


async def test_an_apply_that_hears_nothing_for_too_long_stops(
    plane: Recorder, host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    host = make_host(host.root, host.sandbox, clock=type(host.clock)(unheard_s=LEASE_S))
    async with applying(plane, host, lease_s=LEASE_S) as task:
        plane.down = True
        await gone(mark)
        plane.down = False
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.ERRORED
    assert "did not reach the platform" in result.error
    assert plane.results[-1] == result
    assert [made.address for made in result.maybe_not_in_state] == [
        "terraform_data.first",
        "terraform_data.second",
    ]


async def test_an_apply_goes_on_past_its_lease_while_nobody_answers(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        'resource "terraform_data" "x" {\n provisioner "local-exec" {\n'
        f'  command = "echo begun; sleep {LEASE_S + 1}; echo went on"\n }}\n}}'
    )
    async with applying(plane, host, lease_s=LEASE_S) as task:
        plane.down = True
        await asyncio.sleep(LEASE_S + 0.5)  # longer than its lease: that is the case here
        plane.down = False
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.FINISHED, result
    assert "went on" in plane.text(apply_job())
    assert len(plane.states) == 1


async def test_a_plan_that_hears_nothing_is_left_to_be_tried_again(
    plane: Recorder, host: Host, configure: Configure, silent: int
) -> None:
    configure(
        'data "terraform_remote_state" "x" {\n backend = "http"\n'
        ' config = { address = "http://127.0.0.1:PORT/" }\n}'.replace("PORT", str(silent))
    )
    job = plan_job(lease_s=LEASE_S)
    clock = type(host.clock)(fence=0.9, farewell_s=0.3)
    host = make_host(host.root, host.sandbox, clock=clock)
    task = asyncio.create_task(run_phase(job, plane, host=host))
    await plane.until(lambda: "Refreshing..." in plane.text(job))
    plane.down = True
    result = await asyncio.wait_for(task, WAIT_S)
    plane.down = False
    assert result.outcome is Outcome.ERRORED
    assert plane.results == []


async def test_a_platform_that_is_away_for_a_while_misses_nothing(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure(
        'resource "terraform_data" "x" {\n provisioner "local-exec" {\n'
        '  command = "echo begun; for i in $(seq 1 20); do echo line $i; sleep 0.05; done"\n }\n}'
    )
    async with applying(plane, host) as task:
        plane.down = True
        await asyncio.sleep(1.5)
        assert not task.done()
        plane.down = False
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.FINISHED
    text = plane.text(apply_job())
    assert [f": line {number}\n" in text for number in range(1, 21)] == [True] * 20
    assert text.count("line 7") == 1
    assert len(plane.states) == 1


async def test_a_platform_that_cannot_take_the_log_does_not_stop_the_phase(
    plane: Recorder, host: Host, configure: Configure
) -> None:
    configure('resource "terraform_data" "x" {}')
    plane.fails_at = "append_log"
    result = await run_phase(plan_job(), plane, host=host)
    assert result.outcome is Outcome.FINISHED
    assert plane.results == [result]


async def test_a_platform_whose_renewals_fail_for_good_is_not_heard_and_the_child_dies(
    plane: Recorder, host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    host = make_host(host.root, host.sandbox, clock=type(host.clock)(unheard_s=LEASE_S))
    async with applying(plane, host, lease_s=LEASE_S) as task:
        plane.fails_at = "renew"
        await gone(mark)
        result = await asyncio.wait_for(task, WAIT_S)
    assert "did not reach the platform" in result.error


@pytest.mark.parametrize(
    ("command", "limits", "job", "said"),
    [
        ("sleep 987", {}, {"timeout_s": 1.5}, "longer than 1.5 seconds"),
        (
            "head -c 200000000 /dev/zero | tail | sleep 987",
            {"memory_bytes": 180_000_000},
            {},
            "180000000 bytes of memory",
        ),
        (
            "head -c 60000000 /dev/zero > big; sleep 987",
            {"disk_bytes": 50_000_000},
            {},
            "wrote more than 50000000 bytes",
        ),
    ],
)
async def test_a_phase_past_a_limit_is_stopped_and_told_which(
    command: str,
    limits: dict[str, object],
    job: dict[str, object],
    said: str,
    plane: Recorder,
    host: Host,
    configure: Configure,
) -> None:
    configure(
        'resource "terraform_data" "x" {\n'
        f' provisioner "local-exec" {{ command = "echo begun; {command}" }}\n}}'
    )
    host = make_host(host.root, host.sandbox, **limits)
    async with applying(plane, host, **job) as task:
        result = await asyncio.wait_for(task, WAIT_S)
    assert result.outcome is Outcome.ERRORED
    assert said in result.error
    assert said in plane.text(apply_job())
    assert said in plane.text(apply_job(), LogStream.JSON)


async def test_a_canceled_call_leaves_no_process_and_no_directory(
    plane: Recorder, any_host: Host, configure: Configure, mark: str
) -> None:
    configure(SLOW.replace("MARK", mark))
    async with applying(plane, any_host) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await gone(mark)
    assert list(any_host.phases.iterdir()) == []
    assert len(plane.results) == 1
