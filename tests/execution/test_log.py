"""The two logs: what is in them, in which blocks, and what never is."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable

import pytest

from landform.contract import Category, LogStream, PhaseJob, Variable
from landform.execution.log import BLOCK, PhaseLog
from landform.execution.process import CUT
from landform.execution.redaction import REPLACEMENT, Redactor

from .conftest import plan_job
from .recorder import Recorder

JOB = plan_job()


def secret(value: str, *, hcl: bool = False) -> Redactor:
    return Redactor(
        [Variable(key="s", value=value, category=Category.TERRAFORM, sensitive=True, hcl=hcl)]
    )


def make_log(plane: Recorder, redactor: Redactor | None = None, **more: float) -> PhaseLog:
    every_s = more.get("every_s", 0.1)
    redactor = redactor or Redactor([])
    return PhaseLog(JOB, plane, redactor, every_s=every_s, on_lost=lambda: None)


def message(text: str, **more: object) -> bytes:
    return json.dumps({"@level": "info", "@message": text, "type": "log", **more}).encode()


@pytest.fixture
async def log(plane: Recorder) -> AsyncIterator[PhaseLog]:
    log = make_log(plane)
    yield log
    await log.close(patience_s=5)


async def test_messages_go_verbatim_to_programs_and_as_text_to_people(
    plane: Recorder, log: PhaseLog
) -> None:
    odd = b'{"type":"log",  "@message":"caf\\u00e9 <b>" }'
    await log.messages([odd, b"plain"], planning=False)
    await log.close(patience_s=5)
    assert plane.text(JOB, LogStream.JSON) == odd.decode() + "\nplain\n"
    assert plane.text(JOB) == "café <b>\nplain\n"


async def test_a_quiet_log_is_sent_at_once_and_a_busy_one_in_few_blocks(plane: Recorder) -> None:
    log = make_log(plane, every_s=60)
    await log.for_people([b"first"])
    await plane.until(lambda: plane.text(JOB) == "first\n")
    for number in range(200):
        await log.for_people([f"line {number}".encode()])
        await asyncio.sleep(0.001)
    await log.close(patience_s=5)
    assert plane.text(JOB).splitlines()[1:] == [f"line {number}" for number in range(200)]
    assert len(plane.blocks) == 2


async def test_no_block_is_larger_than_agreed(plane: Recorder, log: PhaseLog) -> None:
    lines = [b"x" * 1000] * 1500
    await log.for_people(lines)
    await log.close(patience_s=5)
    assert plane.text(JOB) == "".join(line.decode() + "\n" for line in lines)
    assert max(plane.blocks) == BLOCK


async def test_people_never_read_what_programs_cannot_read_yet(plane: Recorder) -> None:
    append = plane.append_log
    known = []

    async def slow_for_programs(job: PhaseJob, stream: LogStream, offset: int, data: bytes) -> None:
        if stream is LogStream.JSON:
            for _ in range(100):
                await asyncio.sleep(0)
        else:
            known.append(plane.text(JOB, LogStream.JSON))
        await append(job, stream, offset, data)

    plane.append_log = slow_for_programs  # type: ignore[method-assign]
    log = make_log(plane)
    await log.messages([message("one: Creating...", type="apply_start")], planning=False)
    await log.close(patience_s=5)
    assert plane.text(JOB) == "one: Creating...\n"
    assert ["apply_start" in text for text in known] == [True]


async def test_a_block_whose_fate_is_unknown_is_sent_again_as_it_was(plane: Recorder) -> None:
    plane.lost_answers = 2
    log = make_log(plane)
    await log.for_people([b"once"])
    await log.for_people([b"twice"])
    await log.close(patience_s=5)
    assert plane.text(JOB) == "once\ntwice\n"


async def test_a_platform_that_is_away_holds_the_writer_back(plane: Recorder) -> None:
    plane.down = True
    log = make_log(plane)
    wrote = 0

    async def write() -> None:
        nonlocal wrote
        for _ in range(100):
            await log.for_people([b"x" * (1 << 17)])
            wrote += 1

    writer = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    assert wrote < 40
    plane.down = False
    await asyncio.wait_for(writer, 60)
    await log.close(patience_s=60)
    assert len(plane.text(JOB)) == 100 * ((1 << 17) + 1)


async def test_a_log_that_is_released_holds_nobody_back(plane: Recorder) -> None:
    plane.down = True
    log = make_log(plane)
    writer = asyncio.create_task(log.for_people([b"x" * (5 << 20)]))
    await asyncio.sleep(0.05)
    assert not writer.done()
    log.release()
    await asyncio.wait_for(writer, 60)
    await asyncio.wait_for(log.for_people([b"x" * (5 << 20)]), 60)
    await log.close(patience_s=0)


async def test_framing_bytes_of_the_protocol_are_taken_out(plane: Recorder, log: PhaseLog) -> None:
    await log.plain([b"a\x02b\x03c"])
    await log.messages([message("x\x02y\x03z")], planning=False)
    await log.close(patience_s=5)
    for stream in LogStream:
        assert "\x02" not in plane.text(JOB, stream)
        assert "\x03" not in plane.text(JOB, stream)
    assert plane.text(JOB) == "abc\nxyz\n"


FORMS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "as it is": ("p4ss&<word>", str.encode),
    "in JSON": ('p4"ss\\word', lambda s: json.dumps(s).encode()),
    "in JSON as Go writes it": (
        "p4<ss>&word",
        lambda s: (
            s.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()
        ),
    ),
    "in JSON within JSON": ('p4"ss\\word', lambda s: json.dumps(json.dumps(s)).encode()),
    "in HCL": ("p4${ss}word", lambda s: s.replace("${", "$${").encode()),
    "not ASCII": ("pässwörd", str.encode),
    "not ASCII, escaped": ("pässwörd", lambda s: json.dumps(s).encode()),
    "with spaces about it": ("  p4ssword\n", lambda _: b"p4ssword"),
    "in a query": ("p4/ss word&é+", lambda _: b"p4%2Fss+word%26%C3%A9%2B"),
    "in a query, in small letters": ("p4/ss word&", lambda _: b"p4%2fss%20word%26"),
    "in a path": ("p4/ss word&:x", lambda _: b"p4%2Fss%20word&:x"),
    "in a path, in JSON as Go writes it": ("p4/ss&w", lambda _: b"p4%2Fss\\u0026w"),
    "before a host": ("p4/ss@word;x", lambda _: b"p4%2Fss%40word;x"),
    "as a component": ("p4/ss'(word)", lambda _: b"p4%2Fss'(word)"),
    "as an address": ("https://u:p4 ss@host/", lambda _: b"https://u:p4%20ss@host/"),
    "in base64": ("p4ss-word-9", lambda s: base64.b64encode(s.encode())),
    "within something in base64": (
        "p4ss-word-99",
        lambda s: base64.b64encode(f"user:{s} and so on".encode()),
    ),
    "in base64 for URLs": ("p4ss\xff\xfe?word>>", lambda s: base64.urlsafe_b64encode(s.encode())),
    "a line of several": ("line-one-1\nline-two-2", lambda _: b"  line-two-2"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_recognised_in_every_form(form: str) -> None:
    value, written = FORMS[form]
    line = b"before " + written(value) + b" after"
    clean = secret(value).line(line)
    assert REPLACEMENT.encode() in clean
    assert b"word" not in clean
    assert clean.startswith(b"before ")
    assert clean.endswith(b" after")


async def test_a_secret_is_recognised_though_its_control_characters_were_taken_out(
    plane: Recorder,
) -> None:
    value = "pass\x07word\x1b[2Jthat-is-long\r\nsecond-line"
    log = make_log(plane, secret(value))
    await log.plain([b"said " + value.split("\n", maxsplit=1)[0].encode(), b"second-line"])
    await log.messages([message(value)], planning=False)
    await log.close(patience_s=5)
    for stream in LogStream:
        for part in ("password", "that-is-long", "second-line"):
            assert part not in plane.text(JOB, stream)
        assert REPLACEMENT in plane.text(JOB, stream)


def test_the_strings_within_a_sensitive_value_in_hcl_are_secrets_too() -> None:
    redactor = secret('{ user = "bob-the-builder", list = ["tok\\"en-1"] }', hcl=True)
    assert redactor.line(b'is bob-the-builder and tok"en-1') == (
        b"is (sensitive value) and (sensitive value)"
    )


def test_short_and_harmless_values_do_not_riddle_the_log() -> None:
    for value in ("1", "ab", "true", ""):
        assert secret(value).line(b"1 ab true") == b"1 ab true"


def test_what_gives_a_message_its_form_survives_a_secret_of_the_same_name() -> None:
    raw = json.dumps(
        {
            "@level": "info",
            "@message": "create it: create",
            "type": "create",
            "hook": {"action": "create", "resource": {"addr": "x.create"}},
            "outputs": {"o": {"action": "create", "type": "create", "value": {"type": "create"}}},
        }
    ).encode()
    clean, read = secret("create").in_json(raw, json.loads(raw))
    assert json.loads(clean) == read
    assert read["type"] == "create"
    assert read["hook"]["action"] == "create"
    assert read["hook"]["resource"]["addr"] == "x.(sensitive value)"
    assert read["@message"] == "(sensitive value) it: (sensitive value)"
    assert read["outputs"]["o"]["type"] == "create"
    assert read["outputs"]["o"]["value"]["type"] == "(sensitive value)"


async def test_a_secret_cut_in_two_with_its_line_is_not_half_shown(plane: Recorder) -> None:
    log = make_log(plane, secret("correct-horse-battery"))
    await log.plain([b"x" * 50 + b" correct-horse-bat" + CUT])
    await log.close(patience_s=5)
    assert "correct" not in plane.text(JOB)
    assert "dropped" in plane.text(JOB)


async def test_a_diagnostic_is_shown_to_people_with_its_place_and_code(
    plane: Recorder, log: PhaseLog
) -> None:
    diagnostic = {
        "severity": "error",
        "summary": "Unsupported attribute",
        "detail": "There is no such attribute.",
        "address": "terraform_data.x",
        "range": {"filename": "main.tf", "start": {"line": 7, "column": 3, "byte": 80}},
        "snippet": {
            "context": 'resource "terraform_data" "x"',
            "code": "  input = local.nope",
            "start_line": 7,
            "values": [{"traversal": "local.nope", "statement": "is object"}],
        },
    }
    line = message("Error: Unsupported attribute", type="diagnostic", diagnostic=diagnostic)
    await log.messages([line], planning=True)
    await log.close(patience_s=5)
    assert plane.text(JOB) == (
        "\nError: Unsupported attribute\n"
        "\n  with terraform_data.x\n"
        '  on main.tf line 7, in resource "terraform_data" "x":\n'
        "     7:   input = local.nope\n"
        "        local.nope is object\n"
        "\nThere is no such attribute.\n\n"
    )
