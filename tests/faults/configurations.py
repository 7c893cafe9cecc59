"""Configurations that ask the gate for leave; no provider is needed for them."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.gate import Gate

_READ = """
data "terraform_remote_state" "outside" {
  backend = "http"
  config  = { address = "ADDRESS", retry_max = 0 }
}
"""


def pack(files: Mapping[str, str]) -> bytes:
    """Return the files as a tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def gated(
    gate: Gate,
    name: str,
    objects: Sequence[str] = ("one",),
    *,
    lines: int = 0,
    markers: Path | None = None,
) -> bytes:
    """Return a configuration that asks at `plan/NAME`, and for each object at `apply/NAME/OBJECT`.

    The objects are made one after another, and made anew whenever `name` is another.

    Args:
        lines: written to the log by each object, before it asks.
        markers: a file to which each object adds its name; only without a sandbox it can.
    """
    read = _READ.replace("ADDRESS", f"http://127.0.0.1:{gate.port}/plan/{name}")
    after = "data.terraform_remote_state.outside"
    made = gated_objects(gate, name, objects, after=after, lines=lines, markers=markers)
    return pack({"main.tf": f"{read}\n{made}"})


def gated_objects(
    gate: Gate,
    name: str,
    objects: Sequence[str],
    *,
    after: str = "",
    lines: int = 0,
    markers: Path | None = None,
) -> str:
    """Return the text of objects that ask at `apply/NAME/OBJECT`, each after the one before it."""
    parts = []
    before = after
    for each in objects:
        mark = f"echo {each} >> {markers};" if markers else ""
        parts.append(_object(gate, name, each, before, lines, mark))
        before = f"terraform_data.{each}"
    return "\n".join(parts)


def _object(gate: Gate, name: str, each: str, before: str, lines: int, mark: str) -> str:
    ask = (
        f"{mark}for i in $(seq {lines}); do echo {name} {each} line $i; done;"
        f" exec 3<>/dev/tcp/127.0.0.1/{gate.port};"
        f" printf 'GET /apply/{name}/{each} HTTP/1.0\\r\\n\\r\\n' >&3;"
        " read -r answer <&3; [[ $answer == *200* ]]"
    )
    return f"""
resource "terraform_data" "{each}" {{
  triggers_replace = "{name}"
  depends_on       = [{before}]
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = {_quoted(ask)}
  }}
}}
"""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${")
    return f'"{escaped}"'
