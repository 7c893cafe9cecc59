"""What always holds, whatever broke: asked of database, store, gate and machine after each test."""

import json
from pathlib import Path
from typing import Any

from tests.cli.command import eventually
from tests.faults.client import Client, addresses
from tests.faults.gate import Gate
from tests.faults.platform import Platform

_REST_S = 60.0  # phases under way may have to end first
_NEW_RUNS = "SELECT id FROM runs WHERE NOT workspace_id = ANY(%s)"
_AT_REST = (
    "'{planned_and_finished, planned_and_saved, applied, discarded, errored, canceled}'::text[]"
)
_UNREST = (
    f"SELECT id, status FROM runs WHERE id IN ({_NEW_RUNS}) AND NOT status = ANY({_AT_REST})",
    "SELECT id, lock_holder_id FROM workspaces WHERE NOT id = ANY(%s) AND lock_holder_id <> ''",
    "SELECT id FROM state_versions WHERE NOT workspace_id = ANY(%s) AND status = 'pending'",
    f"SELECT phase_id, state FROM leases WHERE run_id IN ({_NEW_RUNS}) AND state <> 'ended'",
    f"SELECT id FROM run_phases WHERE run_id IN ({_NEW_RUNS}) AND status IN ('queued', 'running')",
    f"""SELECT job.id, job.args FROM procrastinate_jobs AS job JOIN leases AS lease
        ON lease.phase_id = job.args ->> 'phase_id' AND lease.run_id IN ({_NEW_RUNS})
        WHERE job.status = 'todo'""",
)


def check(platform: Platform, gate: Gate) -> None:
    """Fail with everything that does not hold, of the workspaces that were not asked for before."""
    try:
        _check(platform, gate)
    finally:
        platform.settled |= {row["id"] for row in platform.rows("SELECT id FROM workspaces")}
        gate.visits.clear()


def _check(platform: Platform, gate: Gate) -> None:
    client = Client(platform.url, platform.token)
    try:
        eventually(
            lambda: _decide(platform, client) == 0 and not _unrest(platform),
            within_s=_REST_S,
            say=lambda: _unrest(platform),
        )
        eventually(
            lambda: not _leftovers(platform), within_s=_REST_S, say=lambda: _leftovers(platform)
        )
        wrong = [
            *_repeated(platform, gate),
            *_overlapping(platform),
            *_out_of_order(platform),
            *_broken_chains(platform),
            *_broken_logs(platform, client),
            *_lost_objects(platform, client),
        ]
    finally:
        client.close()
    assert not wrong, wrong


def _decide(platform: Platform, client: Client) -> int:
    """Discard the plans that wait for a person, as they may; return how many there were."""
    waiting = platform.rows("SELECT id FROM runs WHERE status = 'planned'")
    for run in waiting:
        client.act(run["id"], "discard")
    return len(waiting)


def _unrest(platform: Platform) -> list[Any]:
    """Runs without an end, locks, leases and jobs of runs that are over."""
    old = list(platform.settled)
    return [row for query in _UNREST for row in platform.rows(query, old)]


def _leftovers(platform: Platform) -> list[Any]:
    """Processes and files of runs, none of which is under way."""
    runs = {row["id"] for row in platform.rows("SELECT id FROM runs")}
    work = platform.home / "work"
    return [
        *_processes_of(runs),
        *(str(path) for path in work.glob("*/phases/*")),
        *(str(path) for path in work.glob("*/spool/*")),
        *(str(path) for path in platform.temporary.glob("landform-*")),
    ]


def _processes_of(runs: set[str]) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended
            continue
        named = {
            word.partition(b"=")[2].decode()
            for word in variables
            if word.startswith(b"TFC_RUN_ID=")
        }
        if words and named & runs:
            found.append(f"{entry.name}: {words}")
    return found


def _repeated(platform: Platform, gate: Gate) -> list[str]:
    """Each object was made once, and a plan let through once by each attempt at it."""
    (plans,) = platform.rows(
        "SELECT coalesce(max(attempts), 1) AS attempts FROM run_phases"
        f" WHERE phase = 'plan' AND run_id IN ({_NEW_RUNS})",
        list(platform.settled),
    )
    passed = [visit.place for visit in gate.visits if visit.passed]
    return [
        f"{place} was passed too often: {passed.count(place)} times"
        for place in set(passed)
        if passed.count(place) > (plans["attempts"] if place.startswith("plan/") else 1)
    ]


def _overlapping(platform: Platform) -> list[Any]:
    """Two applies of a workspace at once."""
    return list(
        platform.rows(
            """
            WITH applies AS (
                SELECT run.workspace_id, phase.id,
                    (phase.status_timestamps ->> 'running-at')::timestamptz AS began,
                    (phase.status_timestamps ->> (phase.status || '-at'))::timestamptz AS ended
                FROM run_phases AS phase JOIN runs AS run ON run.id = phase.run_id
                WHERE phase.phase = 'apply' AND phase.attempts > 0
            )
            SELECT one.id, other.id AS other FROM applies AS one JOIN applies AS other
            ON one.workspace_id = other.workspace_id AND one.id < other.id
            AND one.began < other.ended AND other.began < one.ended
            """
        )
    )


def _out_of_order(platform: Platform) -> list[Any]:
    """A run that takes turns and was planned before one that arrived before it.

    By the order of what was told, as clocks may be wrong, and a plan that is queued again has the
    time of that.
    """
    return list(
        platform.rows(
            """
            WITH turns AS (
                SELECT run.id, run.workspace_id, run.number, min(event.id) AS began
                FROM runs AS run JOIN events AS event ON event.subject_id = run.id
                WHERE NOT run.plan_only AND NOT run.save_plan AND event.name = 'RunMoved'
                AND event.payload ->> 'status' = 'plan_queued' GROUP BY run.id
            )
            SELECT one.id, other.id AS other FROM turns AS one JOIN turns AS other
            ON one.workspace_id = other.workspace_id AND one.number < other.number
            AND one.began > other.began
            """
        )
    )


def _broken_chains(platform: Platform) -> list[Any]:
    """States that are not one lineage with rising serials, the newest of them current."""
    wrong: list[Any] = []
    states = platform.rows(
        "SELECT id, workspace_id, serial, lineage FROM state_versions"
        " WHERE status = 'finalized' ORDER BY workspace_id, finalized_at"
    )
    newest: dict[str, dict[str, Any]] = {}
    for state in states:
        before = newest.get(state["workspace_id"])
        if before is not None and (
            before["lineage"] != state["lineage"] or before["serial"] >= state["serial"]
        ):
            wrong.append((before, state))
        newest[state["workspace_id"]] = state
    current = platform.rows("SELECT id, current_state_version_id AS state_id FROM workspaces")
    wrong += (row for row in current if row["state_id"] != newest.get(row["id"], {}).get("id"))
    return wrong


def _broken_logs(platform: Platform, client: Client) -> list[Any]:
    """Logs with a gap, a doubled byte or no end, or that read otherwise bit by bit."""
    wrong: list[Any] = list(
        platform.rows(
            """
            SELECT log.phase_id, log.stream, log.size_bytes, log.is_sealed FROM logs AS log
            LEFT JOIN LATERAL (
                SELECT sum(size_bytes) AS size,
                    bool_and(offset_bytes = before) AS joined
                FROM (
                    SELECT size_bytes, offset_bytes, coalesce(sum(size_bytes) OVER (
                        ORDER BY offset_bytes ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ), 0) AS before
                    FROM log_blocks AS block
                    WHERE block.phase_id = log.phase_id AND block.stream = log.stream
                ) AS blocks
            ) AS found ON true
            WHERE NOT log.is_sealed OR coalesce(found.size, 0) <> log.size_bytes
            OR NOT coalesce(found.joined, true)
            """
        )
    )
    for phase in platform.rows(
        f"SELECT id, phase FROM run_phases WHERE attempts > 0 AND run_id IN ({_NEW_RUNS})",
        list(platform.settled),
    ):
        kind = "plans" if phase["phase"] == "plan" else "applies"
        address = client.get(f"/{kind}/{phase['id']}")["attributes"]["log-read-url"]
        whole = client.read_log(address, 0, 1 << 20)
        if (whole[:1], whole[-1:]) != (b"\2", b"\3"):
            wrong.append((phase["id"], "has no frame", whole[-80:]))
        step = max(len(whole) // 3, 1)
        pieces = [client.read_log(address, at, step) for at in range(0, len(whole), step)]
        if b"".join(pieces) != whole:
            wrong.append((phase["id"], "reads otherwise in pieces"))
    return wrong


def _lost_objects(platform: Platform, client: Client) -> list[Any]:
    """Objects that terraform said it made, in no state of their run and not listed as such."""
    wrong = []
    for apply in platform.rows(
        "SELECT id, run_id, maybe_not_in_state FROM run_phases"
        f" WHERE phase = 'apply' AND attempts > 0 AND run_id IN ({_NEW_RUNS})",
        list(platform.settled),
    ):
        known = {each["address"] for each in apply["maybe_not_in_state"]}
        for state in platform.rows(
            "SELECT id FROM state_versions WHERE run_id = %s AND status = 'finalized'",
            apply["run_id"],
        ):
            known |= addresses(client.state_version(state["id"]))
        lost = _made(client.json_log(apply["id"])) - known
        if lost:
            wrong.append((apply["id"], lost))
    return wrong


def _made(log: bytes) -> set[str]:
    made = set()
    for line in log.splitlines():
        if line.startswith(b"{"):
            message = json.loads(line)
            hook = message.get("hook") or {}
            if message.get("type") == "apply_complete" and hook.get("action") == "create":
                made.add(hook["resource"]["addr"])
    return made
