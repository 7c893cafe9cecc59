"""The parts of a page that are replaced when what it shows has changed, and what tells them apart.

The layout marks them by comments. What people wrote is escaped, so that none of it is such a mark.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_NAMES: Final = ("page", "ways")
# What the browser counts on by itself (`assets/js/times.js`).
_TIMES: Final = re.compile(r"(<time data-ago [^>]*>|<span data-since=[^>]*>)[^<]*")


@dataclass
class Reading:
    """What a page says when it is read again for who looks at it.

    Attributes:
        regions: by the id of its element, the HTML in each; empty when it shows something else.
        follows: what the page is about by now (`landform.web.following`).
        status: of the answer.
    """

    status: int = 0
    regions: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[str, ...] = ()


def regions_of(html: str) -> dict[str, str]:
    """Return the HTML in each region of a whole page, by the id of its element."""
    found = {}
    for name in _NAMES:
        _, _, rest = html.partition(f"<!--{name}-->")
        found[name] = rest.rpartition(f"<!--/{name}-->")[0]
    return found


def mark_of(regions: Mapping[str, str]) -> str:
    """Return a mark that is another when the page says anything else; times that pass aside."""
    digest = hashlib.sha256()
    for name, html in sorted(regions.items()):
        still = _TIMES.sub(r"\1", html)
        digest.update(f"{name}\0{still}\0".encode())
    return digest.hexdigest()[:32]


def is_other(before: str, now: str) -> bool:
    """Tell whether a part of a page says anything else than before; times that pass aside."""
    return before != now and mark_of({"": before}) != mark_of({"": now})
