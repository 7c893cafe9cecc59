"""Text of logs without what a terminal would obey: many lines at once are as each is alone."""

from hypothesis import given
from hypothesis import strategies as st

from landform.web.present.ansi import lines_of, plain

PARTS = (
    *("\x1b", "\x1b[", "\x1b]", "[", "]", "m", "31", ";", "\x07", "\\", "\x00", "\x9b", "\x85"),
    *("\n", "\r", "\t", "\u200b", "é", "a", "B", "<", " "),
)
CONTENT = st.lists(st.sampled_from(PARTS), max_size=30).map("".join).map(str.encode)


@given(CONTENT | st.binary(max_size=60))
def test_what_is_searched_is_line_for_line_what_each_line_shows(content: bytes) -> None:
    assert plain(content).split("\n") == [plain(line) for line in content.split(b"\n")]


@given(CONTENT)
def test_what_is_searched_is_what_is_shown(content: bytes) -> None:
    shown = [line.html.striptags() for line in lines_of(content, 0)]
    wanted = [" ".join(line.split()) for line in plain(content).split("\n")]
    assert [line.replace("\r", "") for line in shown] == wanted[: len(shown)]
