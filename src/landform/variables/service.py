"""Writes of variables: limits, names that cannot be, and the seal on every value."""

import asyncio
import re
from dataclasses import dataclass, field, fields
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.contract import Category, is_reserved
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import Keyring, fingerprint
from landform.kit.errors import InvalidError
from landform.kit.ids import new_id
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.variables import hcl
from landform.variables.events import VariableCreated, VariableDeleted, VariableUpdated
from landform.variables.models import Variable
from landform.variables.queries import Owner, ShownVariable, find, of, place_of, shown
from landform.variables.sets import locked_set
from landform.variables.sets import require_writer as require_writer_of_set
from landform.workspaces.models import Workspace
from landform.workspaces.rows import locked

# Of HCP Terraform's page "Manage variables", "Character limits"; it states no count.
KEY_LIMIT: Final = 128  # characters
VALUE_LIMIT: Final = 256 * 1024  # bytes
DESCRIPTION_LIMIT: Final = 512  # characters
PER_OWNER: Final = 1000

_IDENTIFIER: Final = re.compile(r"[^\W\d][\w-]*")
_ENV_NAME: Final = re.compile(r"[^\s=\x00-\x1f\x7f]+")
_CHECKED: Final = ("key", "category", "hcl", "description")
_UNIQUE_IN_WORKSPACE: Final = "uq_variables_workspace_id_category_key"
_UNIQUE_IN_SET: Final = "uq_variables_variable_set_id_category_key"


@dataclass(frozen=True, kw_only=True)
class VariableSettings:
    """What a client gives of a variable; None means as it is, or the default for a new one."""

    key: str | None = None
    value: str | None = field(default=None, repr=False)
    category: Category | str | None = None
    hcl: bool | None = None
    sensitive: bool | None = None
    description: str | None = None


async def create_variable(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    owner: Owner,
    settings: VariableSettings,
) -> ShownVariable:
    """Add a variable to a workspace or a set; without a value it is the empty text.

    Raises:
        ForbiddenError: `actor` may not change variables there.
        InvalidError: the key is taken, malformed or reserved, something is too long, or the value
            is HCL that terraform could not read.
    """
    await require_writer(session, actor, owner)
    if settings.category is None or settings.key is None:
        missing = "key" if settings.key is None else "category"
        raise InvalidError(f"A variable needs a {missing}.", pointer=missing)
    given: dict[str, Any] = {"hcl": False, "sensitive": False, "description": ""}
    given |= _given(settings)
    value = given.pop("value", "")
    _check(given)
    check_value(value)
    if given["hcl"]:
        await asyncio.to_thread(hcl.understand, value)
    await _hold(session, owner)
    await _require_room(session, owner)
    variable_id = new_id("var")
    row = Variable(
        id=variable_id,
        **_owner_ids(owner),
        sealed_value=_seal(keyring, variable_id, value),
        **given,
    )
    async with unique(session, _unique_in(owner), _taken(row.key)):
        session.add(row)
    _touch(owner)
    events.publish(
        session,
        VariableCreated(
            actor_id=actor.id,
            organization_id=owner.organization_id,
            subject_id=row.id,
            **_owner_ids(owner),
            key=row.key,
            category=row.category,
            sensitive=row.sensitive,
        ),
    )
    return shown(keyring, row)


async def update_variable(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    owner: Owner,
    variable_id: str,
    settings: VariableSettings,
) -> ShownVariable:
    """Apply the settings that are given.

    Of a sensitive variable the key and category stay, and it stays sensitive: else a new name,
    or a run that prints it, would give away what nobody may read.

    Raises:
        ForbiddenError: `actor` may not change variables there.
        NotFoundError: there is no such variable in it.
        InvalidError: the change cannot be.
    """
    await require_writer(session, actor, owner)
    await _hold(session, owner)
    row = await find(session, owner, variable_id)
    given = _given(settings)
    value = given.pop("value", None)
    changed = {name: new for name, new in given.items() if new != getattr(row, name)}
    _check_sensitive(row, changed)
    _check({name: changed.get(name, getattr(row, name)) for name in _CHECKED})
    await _check_hcl(keyring, row, value, is_hcl=changed.get("hcl"))
    sealed = row.sealed_value if value is None else _seal(keyring, row.id, value)
    changes = events.changes_of(row, changed)
    if value is not None:
        before = keyring.open(row.sealed_value, place=place_of(row.id)).decode()
        changes["value"] = [fingerprint(keyring, before), fingerprint(keyring, value)]
    async with unique(session, _unique_in(owner), _taken(settings.key or row.key)):
        for name, new in changed.items():
            setattr(row, name, new)
        row.sealed_value = sealed
        row.version_id = new_id("varver")
    _touch(owner)
    events.publish(
        session,
        VariableUpdated(
            actor_id=actor.id,
            organization_id=owner.organization_id,
            subject_id=row.id,
            **_owner_ids(owner),
            key=row.key,
            changed=(*changed, *(() if value is None else ("value",))),
            changes=changes,
        ),
    )
    return shown(keyring, row)


async def delete_variable(
    session: AsyncSession, actor: Actor, owner: Owner, variable_id: str
) -> None:
    """Remove a variable.

    Raises:
        ForbiddenError: `actor` may not change variables there.
        NotFoundError: there is no such variable in it.
    """
    await require_writer(session, actor, owner)
    await _hold(session, owner)
    row = await find(session, owner, variable_id)
    await session.delete(row)
    await session.flush()
    _touch(owner)
    events.publish(
        session,
        VariableDeleted(
            actor_id=actor.id,
            organization_id=owner.organization_id,
            subject_id=row.id,
            **_owner_ids(owner),
            key=row.key,
            category=row.category,
        ),
    )


async def require_writer(session: AsyncSession, actor: Actor, owner: Owner) -> None:
    """Let `actor` pass who may change the variables of a workspace or a set.

    Raises:
        ForbiddenError: it may not, but may know of the workspace or the set.
        NotFoundError: it may not know of it.
    """
    if isinstance(owner, Workspace):
        await require(session, actor, Permission.WRITE_VARIABLES, owner.place)
    else:
        await require_writer_of_set(session, actor, owner)


def check_key(key: str) -> None:
    """Pass what can name a Terraform variable.

    Raises:
        InvalidError: it cannot.
    """
    check_text(key, what="The key", limit=KEY_LIMIT, pointer="key")
    if _IDENTIFIER.fullmatch(key) is None:
        raise InvalidError(
            f"{key!r} cannot name a Terraform variable: it starts with a letter or underscore"
            " and goes on with letters, digits, underscores and dashes.",
            pointer="key",
        )


def check_value(value: str) -> None:
    """Pass a value that can be kept.

    Raises:
        InvalidError: it is too long, or no text.
    """
    check_text(value, what="The value", limit=VALUE_LIMIT, pointer="value")
    size_bytes = len(value.encode())
    if size_bytes > VALUE_LIMIT:
        raise InvalidError(
            f"The value has {size_bytes} bytes; at most {VALUE_LIMIT} are accepted.",
            pointer="value",
        )


def _given(settings: VariableSettings) -> dict[str, Any]:
    given = {
        each.name: getattr(settings, each.name)
        for each in fields(settings)
        if getattr(settings, each.name) is not None
    }
    if "category" in given:
        given["category"] = _category(given["category"])
    return given


def _category(text: str) -> Category:
    try:
        return Category(text)
    except ValueError:
        raise InvalidError(
            f"A variable's category is one of {', '.join(Category)}.", pointer="category"
        ) from None


def _check_sensitive(row: Variable, changed: dict[str, Any]) -> None:
    if not row.sensitive:
        return
    for name in ("sensitive", "key", "category"):
        if name in changed:
            raise InvalidError(
                f"The {name} of a sensitive variable cannot be changed; delete it and make"
                " another.",
                pointer=name,
            )


def _check(variable: dict[str, Any]) -> None:
    key, category = variable["key"], variable["category"]
    check_text(
        variable["description"],
        what="The description",
        limit=DESCRIPTION_LIMIT,
        pointer="description",
    )
    if category is Category.TERRAFORM:
        check_key(key)
    else:
        check_text(key, what="The key", limit=KEY_LIMIT, pointer="key")
        _check_env(key, hcl=variable["hcl"])


def _check_env(key: str, *, hcl: bool) -> None:
    if hcl:
        raise InvalidError("Only a variable of category terraform can be HCL.", pointer="hcl")
    if _ENV_NAME.fullmatch(key) is None:
        raise InvalidError(
            f"{key!r} cannot name an environment variable: no space, `=` or control character.",
            pointer="key",
        )
    if is_reserved(key):
        raise InvalidError(
            f"The environment variable {key} is reserved: the run sets it itself.", pointer="key"
        )


async def _check_hcl(
    keyring: Keyring, row: Variable, value: str | None, *, is_hcl: bool | None
) -> None:
    """Have what becomes an expression, or becomes another, be one; what stays is not asked."""
    if is_hcl is False or not (is_hcl or row.hcl) or (value is None and is_hcl is None):
        return
    if value is None:
        value = keyring.open(row.sealed_value, place=place_of(row.id)).decode()
    await asyncio.to_thread(hcl.understand, value)


def _seal(keyring: Keyring, variable_id: str, value: str) -> bytes:
    check_value(value)
    return keyring.seal(value.encode(), place=place_of(variable_id))


async def _hold(session: AsyncSession, owner: Owner) -> None:
    if isinstance(owner, Workspace):
        await locked(session, owner.id)
    else:
        await locked_set(session, owner.id)


def _touch(owner: Owner) -> None:
    """Note that a set changed, by a change of one of its variables that is not refused any more."""
    if not isinstance(owner, Workspace):
        owner.updated_at = now()


def _owner_ids(owner: Owner) -> dict[str, Any]:
    is_workspace = isinstance(owner, Workspace)
    return {
        "workspace_id": owner.id if is_workspace else None,
        "variable_set_id": None if is_workspace else owner.id,
    }


def _unique_in(owner: Owner) -> str:
    return _UNIQUE_IN_WORKSPACE if isinstance(owner, Workspace) else _UNIQUE_IN_SET


async def _require_room(session: AsyncSession, owner: Owner) -> None:
    query = select(func.count()).select_from(Variable).where(of(owner))
    if (await session.scalar(query) or 0) >= PER_OWNER:
        what = "workspace" if isinstance(owner, Workspace) else "variable set"
        raise InvalidError(f"A {what} has at most {PER_OWNER} variables.")


def _taken(key: str) -> InvalidError:
    return InvalidError(f"The key {key} has already been taken.", pointer="key")
