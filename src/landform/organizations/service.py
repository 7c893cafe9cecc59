"""Writes of an organization's own row. Who may is asked by `landform.workspaces.organizations`."""

import re
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.errors import InvalidError
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.organizations.events import (
    OrganizationCreated,
    OrganizationDeleted,
    OrganizationUpdated,
)
from landform.organizations.models import Organization

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{3,40}")
_EMAIL_LIMIT: Final = 254
_MOST_DAYS: Final = 3650
_AGENT: Final = "agent"
_EXECUTION_MODES: Final = ("remote", "local", _AGENT)


@dataclass(frozen=True, kw_only=True)
class OrganizationSettings:
    """What can be changed of an organization; None leaves it as it is.

    Attributes:
        default_agent_pool_id: of the execution mode `agent`; the caller knows that there is one.
        max_token_days: 0: no limit.
    """

    name: str | None = None
    email: str | None = None
    default_execution_mode: str | None = None
    default_agent_pool_id: str | None = None
    default_project_id: str | None = None
    allow_force_delete_workspaces: bool | None = None
    max_token_days: int | None = None


async def add(
    session: AsyncSession,
    actor: Actor,
    *,
    name: str,
    email: str,
    default_execution_mode: str | None = None,
    allow_force_delete_workspaces: bool | None = None,
) -> Organization:
    """Add the row of a new organization.

    Raises:
        InvalidError: the name is malformed or taken, or there is no such execution mode.
    """
    organization = Organization(name=_checked_name(name), email=_checked_email(email))
    if default_execution_mode is not None:
        organization.default_execution_mode = _checked_mode(default_execution_mode)
        _require_pool(default_execution_mode, None)
    if allow_force_delete_workspaces is not None:
        organization.allow_force_delete_workspaces = allow_force_delete_workspaces
    async with unique(session, "uq_organizations_lower_name", _taken(name)):
        session.add(organization)
    events.publish(
        session,
        OrganizationCreated(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=organization.id,
            name=name,
        ),
    )
    return organization


async def change(
    session: AsyncSession,
    actor: Actor,
    organization: Organization,
    settings: OrganizationSettings,
) -> None:
    """Apply the settings that are given.

    Raises:
        InvalidError: one of them cannot be.
    """
    if settings.name is not None:
        _checked_name(settings.name)
    if settings.email is not None:
        _checked_email(settings.email)
    mode = _checked_mode(settings.default_execution_mode or organization.default_execution_mode)
    _require_pool(mode, settings.default_agent_pool_id or organization.default_agent_pool_id)
    given = {each.name: getattr(settings, each.name) for each in fields(settings)}
    changed = {
        name: value
        for name, value in given.items()
        if value is not None and value != getattr(organization, name)
    }
    if settings.max_token_days is not None:
        changed["max_token_days"] = _checked_days(settings.max_token_days)
        if changed["max_token_days"] == organization.max_token_days:
            del changed["max_token_days"]
    if mode != _AGENT and organization.default_agent_pool_id is not None:
        changed["default_agent_pool_id"] = None
    if not changed:
        return
    changes = events.changes_of(organization, changed)
    async with unique(session, "uq_organizations_lower_name", _taken(str(settings.name))):
        for name, value in changed.items():
            setattr(organization, name, value)
    events.publish(
        session,
        OrganizationUpdated(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=organization.id,
            changed=tuple(changed),
            changes=changes,
        ),
    )


async def remove(session: AsyncSession, actor: Actor, organization: Organization) -> None:
    """Delete the row, and by cascade everything in the organization."""
    await session.delete(organization)
    await session.flush()
    events.publish(
        session,
        OrganizationDeleted(
            actor_id=actor.id,
            organization_id=organization.id,
            subject_id=organization.id,
            name=organization.name,
        ),
    )


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise InvalidError(
            "An organization's name has 3 to 40 letters, digits, dashes and underscores.",
            pointer="name",
        )
    return name


def _checked_mode(mode: str) -> str:
    if mode not in _EXECUTION_MODES:
        raise InvalidError(
            f"The default execution mode is one of {', '.join(_EXECUTION_MODES)}.",
            pointer="default_execution_mode",
        )
    return mode


def _require_pool(mode: str, pool_id: str | None) -> None:
    if mode == _AGENT and pool_id is None:
        raise InvalidError(
            "Execution mode agent needs an agent pool; name the default one.",
            pointer="default_agent_pool_id",
        )


def _checked_days(days: int) -> int | None:
    if not 0 <= days <= _MOST_DAYS:
        raise InvalidError(
            f"Tokens live at most 1 to {_MOST_DAYS} days; 0 is no limit.",
            pointer="max_token_days",
        )
    return days or None


def _checked_email(email: str) -> str:
    return check_text(email, what="The email", limit=_EMAIL_LIMIT, pointer="email")


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The name {name} has already been taken.", pointer="name")
