"""What a run says reaches a terminal as text and colours."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.execution.terminal import harmless, harmless_json


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"plain \t text", b"plain \t text"),
        (b"\x1b[1;31mred\x1b[0m", b"\x1b[1;31mred\x1b[0m"),
        (b"\x1b]52;c;ZXZpbA==\x07text", b"text"),
        (b"\x1b]52;c;ZXZpbA==", b""),
        (b"\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", b"click"),
        (b"a\x1b[2J\x1b[1Ab", b"ab"),
        (b"a\x1b[?1049hb\x1b[6n", b"ab"),
        (b"\x1bPq\x1b\\\x1bcdone", b"done"),
        (b"10%\r20%\r", b"10%\n20%"),
        (b"one\r\n", b"one\n"),
        (b"nul\x00bell\x07del\x7f", b"nulbelldel"),
        ("\x9b2J\x9d52;c;x\x9cé".encode(), "é".encode()),
        (b"\xff\xfe", "��".encode()),
        (b"\x1b\x1b[2J\x1b\x00[2J", b"[2J"),
    ],
)
def test_control_sequences_are_taken_out_but_for_colours(said: bytes, shown: bytes) -> None:
    assert harmless(said) == shown
    text = said.decode(errors="replace")
    raw = json.dumps({"@message": text}).encode()
    clean, value = harmless_json(raw, json.loads(raw))
    assert json.loads(clean) == value
    assert value["@message"].rstrip("\n") == shown.decode().rstrip("\n")


@given(st.binary(max_size=60))
def test_whatever_is_said_what_is_shown_is_text_and_colours(said: bytes) -> None:
    shown = harmless(said).decode()
    for piece in shown.split("\x1b")[1:]:
        assert piece.startswith("[")
        assert piece[1:].lstrip("0123456789;:").startswith("m")
    assert not any(c < " " and c not in "\t\n\x1b" for c in shown)
    assert not any("\x7f" <= c <= "\x9f" for c in shown)
    assert harmless(shown.encode()) == shown.encode()


def test_half_a_character_in_json_is_taken_out() -> None:
    raw = b'{"@message":"a\\ud800b","n":[1,{"\\u0000k":"\\ud83d\\ude00"}]}'
    clean, value = harmless_json(raw, json.loads(raw))
    assert value == {"@message": "ab", "n": [1, {"k": "😀"}]}
    assert json.loads(clean) == value


def test_what_needs_no_change_comes_back_as_it_is() -> None:
    raw = b'{"@message": "a \\"quoted\\" \\u003cword\\u003e"}'
    value = json.loads(raw)
    assert harmless_json(raw, value) == (raw, value)
