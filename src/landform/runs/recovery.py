"""The way back from an apply that died: what it made is taken into the state by `import` blocks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Created, Phase
from landform.identity.actor import Actor
from landform.runs import queries
from landform.runs.rows import phase_of

_HEAD: Final = """\
# Objects that the apply of {run_id} made after the last state it could save, and that may not be
# in the state. Put this file into the workspace's configuration, unlock the workspace, plan and
# apply: terraform takes them into the state and makes none a second time. Remove the file then.
"""
_NO_ID: Final = (
    "# It is not known whether this one was made: terraform gave no id for it. If it exists, put\n"
    "# its id below and uncomment the block; if it does not, remove it."
)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What an apply left to be done.

    Attributes:
        state_version_id: the newest state it saved; None when it saved none.
        objects: made, or perhaps made, after that.
    """

    run_id: str
    state_version_id: str | None
    objects: Sequence[Created]


async def recovery_of(session: AsyncSession, actor: Actor, run_id: str) -> Recovery:
    """Return what the apply of a run left to be done.

    Raises:
        NotFoundError: there is no such run, or `actor` may not know of it.
    """
    run = await queries.get(session, actor, run_id)
    phase = await phase_of(session, run, Phase.APPLY)
    saved = (await queries.state_ids(session, [run.id])).get(run.id, [])
    return Recovery(
        run_id=run.id,
        state_version_id=saved[-1] if saved else None,
        objects=[Created.model_validate(one) for one in phase.maybe_not_in_state],
    )


def import_block(one: Created) -> str:
    """Return the block that takes the object into the state; as a comment if its id is not known.

    Configurations of terraform and tofu from 1.5 and 1.5.5 on may hold such blocks.
    """
    lines = ["import {", f"  to = {one.address}", f"  id = {_quoted(one.id_value)}", "}"]
    if one.id_value and one.address.isprintable():
        return "\n".join(lines)
    return "\n".join([_NO_ID, *(f"# {line}" for part in lines for line in part.splitlines())])


def recovery_file(run_id: str, blocks: Iterable[str]) -> str:
    """Return the text of a file with the blocks, and what to do with it."""
    return "\n\n".join([_HEAD.format(run_id=run_id).rstrip(), *blocks]) + "\n"


def _quoted(text: str) -> str:
    """Write a text as a configuration does; its escapes are JSON's, but for templates."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
