"""The lines of a `.tfvars` file as variables of a workspace or a set: foreseen, and carried out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Category
from landform.identity.actor import Actor
from landform.kit.crypto import Keyring
from landform.kit.errors import InvalidError
from landform.variables import hcl, queries, service
from landform.variables.hcl import Understood
from landform.variables.queries import Owner, ShownVariable
from landform.variables.service import VariableSettings

FILE_LIMIT: Final = 512 * 1024  # characters


class Effect(StrEnum):
    """What an import does to one variable."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "left alone"


@dataclass(frozen=True)
class Step:
    """What an import does to one variable.

    Attributes:
        before: as it is; None: there is none.
        sensitive: whether its value will be.
    """

    effect: Effect
    key: str
    value: str = field(repr=False)
    hcl: bool
    sensitive: bool
    understood: Understood
    before: ShownVariable | None


async def foresee(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    owner: Owner,
    text: str,
    *,
    all_sensitive: bool = False,
) -> list[Step]:
    """Return what importing `text` would do, in the order of its lines; nothing is written.

    A sensitive variable is always said to change: that it is the same would tell what it is.

    Raises:
        ForbiddenError: `actor` may not change variables there.
        HclError: terraform could not read the file.
        InvalidError: it sets nothing, or something that no variable can be.
    """
    await service.require_writer(session, actor, owner)
    if len(text) > FILE_LIMIT:
        raise InvalidError(
            f"The file has {len(text)} characters; at most {FILE_LIMIT} are accepted at once."
        )
    found = await asyncio.to_thread(hcl.assignments, text)
    if not found:
        raise InvalidError('There is no variable in it; a line is such as: region = "eu-1"')
    present = await queries.list_variables(session, keyring, actor, owner)
    of_terraform = {
        each.row.key: each for each in present if each.row.category is Category.TERRAFORM
    }
    steps = [_step(one, of_terraform.get(one.key), all_sensitive) for one in found]
    _require_room(steps, len(present))
    return steps


async def carry_out(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    owner: Owner,
    text: str,
    *,
    all_sensitive: bool = False,
) -> list[Step]:
    """Import `text`: add what is new, change what is otherwise, and return what was done.

    Raises:
        ForbiddenError: `actor` may not change variables there.
        HclError: terraform could not read the file.
        InvalidError: it sets nothing, or something that no variable can be.
    """
    steps = await foresee(session, keyring, actor, owner, text, all_sensitive=all_sensitive)
    for step in steps:
        if step.effect is Effect.UNCHANGED:
            continue
        settings = VariableSettings(
            key=step.key,
            value=step.value,
            category=Category.TERRAFORM,
            hcl=step.hcl,
            sensitive=step.sensitive,
        )
        if step.before is None:
            await service.create_variable(session, keyring, actor, owner, settings)
        else:
            variable_id = step.before.row.id
            await service.update_variable(session, keyring, actor, owner, variable_id, settings)
    return steps


def _step(one: hcl.Assignment, before: ShownVariable | None, all_sensitive: bool) -> Step:
    plain = one.understood.text
    value, is_hcl = (one.written, True) if plain is None else (plain, False)
    service.check_key(one.key)
    service.check_value(value)
    sensitive = all_sensitive or (before is not None and before.row.sensitive)
    effect = Effect.CHANGED
    if before is None:
        effect = Effect.ADDED
    elif not sensitive and (before.value, before.row.hcl) == (value, is_hcl):
        effect = Effect.UNCHANGED
    return Step(effect, one.key, value, is_hcl, sensitive, one.understood, before)


def _require_room(steps: Sequence[Step], present: int) -> None:
    wanted = present + sum(step.effect is Effect.ADDED for step in steps)
    if wanted > service.PER_OWNER:
        raise InvalidError(
            f"There would be {wanted} variables; at most {service.PER_OWNER} are accepted."
        )
