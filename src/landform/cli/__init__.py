"""The `landform` command. Only `main` knows the parser; a command's work is in its own module."""

import sys

# structlog imports rich wherever it is there, for tracebacks that Landform does not show. Each
# process of a platform would hold 3 to 4 MB for that; the parser's help imports it when asked.
if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # so that importing it fails
    import structlog  # noqa: F401

    del sys.modules["rich"]
