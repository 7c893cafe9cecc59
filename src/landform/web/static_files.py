"""CSS and JavaScript under names that change with their content, so that browsers keep them."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_DIRECTORY: Final = Path(__file__).parent / "static"
_DIGITS: Final = 12


def _hashed(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]
    return f"{path.stem}.{digest}{path.suffix}"


# Name in the templates → name in addresses; read once, as the files come with the release.
_NAMES: Final = {path.name: _hashed(path) for path in _DIRECTORY.iterdir() if path.is_file()}
_FILES: Final = {hashed: name for name, hashed in _NAMES.items()}


def asset(name: str) -> str:
    """Return the address of a static file as it is now."""
    return f"/static/{_NAMES[name]}"


class _Static(StaticFiles):
    """Files by hashed name, kept for a year, or by plain name, asked for again each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer one file."""
        answer = await super().get_response(_FILES.get(path, path), scope)
        lasting = "public, max-age=31536000, immutable"
        answer.headers["Cache-Control"] = lasting if path in _FILES else "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


static: Final = _Static(directory=_DIRECTORY)
