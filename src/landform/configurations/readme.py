"""The README of a configuration: found where its archive is unpacked, and made harmless HTML."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LARGEST_BYTES: Final = 32 << 10  # some Markdown takes time that grows with the square of its size
_NAMES: Final = (
    "readme.md",
    "readme.markdown",
    "readme",
    "readme.txt",
)  # the first there is counts
_MARKDOWN: Final = frozenset(_NAMES[:2])
_MOST_ENTRIES: Final = 10_000
_LINKS: Final = frozenset({"https", "http", "mailto"})
_TEXT_TAGS: Final = frozenset({"a", "b", "br", "code", "del", "em", "i", "ins", "kbd", "s", "span"})
_BLOCK_TAGS: Final = frozenset({"blockquote", "details", "div", "hr", "p", "pre", "summary"})
_LIST_TAGS: Final = frozenset({"dd", "dl", "dt", "li", "ol", "ul"})
_TABLE_TAGS: Final = frozenset({"table", "tbody", "td", "th", "thead", "tr"})
_TAGS: Final = frozenset(
    {*_TEXT_TAGS, *_BLOCK_TAGS, *_LIST_TAGS, *_TABLE_TAGS, "strong", "sub", "sup"}
).union(f"h{level}" for level in range(1, 7))
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}


@dataclass(frozen=True)
class Readme:
    """A README as a page may show it.

    Attributes:
        directory: where it was, as the workspace named its working directory.
        name: of the file.
        html: of a few tags, without images, scripts, styles and names.
        is_cut: it goes on after LARGEST_BYTES.
    """

    directory: str
    name: str
    html: str
    is_cut: bool


def find(root: Path, directory: str) -> Readme | None:
    """Return the README of a directory of a configuration that was unpacked below `root`.

    Args:
        directory: relative to `root`; one that is not there has no README.
    """
    place = root / directory
    if not place.resolve().is_relative_to(root.resolve()) or not place.is_dir():
        return None
    named: dict[str, Path] = {}
    for number, entry in enumerate(place.iterdir()):
        if number >= _MOST_ENTRIES:
            break
        if entry.name.lower() in _NAMES and entry.is_file():
            named.setdefault(entry.name.lower(), entry)
    for name in _NAMES:
        if name in named:
            return _read(named[name], directory)
    return None


def clean(html: str) -> str:
    """Return HTML of which nothing loads, runs, looks like our own or leads to our own pages."""
    return nh3.clean(
        html,
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_kept,
        url_schemes=set(_LINKS),
        link_rel="noopener noreferrer nofollow",
    )


def _read(path: Path, directory: str) -> Readme:
    with path.open("rb") as file:
        raw = file.read(LARGEST_BYTES + 1)
    text = raw[:LARGEST_BYTES].decode(errors="replace").replace("\0", "�")
    if path.name.lower() in _MARKDOWN:
        html = _MARKDOWN_IT.render(text)
    else:
        html = f"<pre>{nh3.clean_text(text)}</pre>"
    return Readme(directory, path.name, clean(html), len(raw) > LARGEST_BYTES)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """Drop addresses without a scheme: they would lead into our own pages."""
    if tag == "a" and attribute == "href":
        scheme = value.strip().partition(":")[0].lower()
        return value if scheme in _LINKS and ":" in value else None
    return value


def _image(renderer: RendererHTML, tokens: list[Token], at: int, options: Any, env: Any) -> str:
    """Show what an image is called instead: our policy loads none of another site's."""
    token = tokens[at]
    called = renderer.renderInlineAsText(token.children or [], options, env)
    source = str(token.attrs.get("src", ""))
    if source.startswith("https://") and not any(each.type == "link_open" for each in tokens):
        return f'<a href="{nh3.clean_text(source)}">{nh3.clean_text(called or "image")}</a>'
    return nh3.clean_text(called)


def _markdown_it() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    made.add_render_rule("image", _image)
    return made


_MARKDOWN_IT: Final = _markdown_it()
