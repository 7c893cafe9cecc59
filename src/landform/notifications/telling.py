"""Reads what is to be said of a delivery, and to whom, as things are when it is sent."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Membership
from landform.access.permissions import Permission
from landform.access.service import may
from landform.contract import Phase
from landform.identity.models import User
from landform.identity.users import actor_of, names_of
from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.notifications.drafting import Draft
from landform.notifications.models import (
    Destination,
    NotificationConfiguration,
    NotificationDelivery,
)
from landform.notifications.payloads import Story, Told
from landform.notifications.sending import Recipient
from landform.notifications.triggers import VERIFICATION, Trigger
from landform.organizations.models import Organization
from landform.runs.models import Run, RunPhase
from landform.workspaces.models import Workspace


async def recipient_of(
    session: AsyncSession,
    keyring: Keyring,
    workspace: Workspace,
    row: NotificationConfiguration | Draft,
) -> Recipient:
    """Return who is told.

    Of users, those who are members, not suspended, and may see the workspace's runs just now.
    """
    if row.destination is not Destination.EMAIL:
        if isinstance(row, Draft):
            return Recipient(destination=row.destination, url=row.url, token=row.token)
        return Recipient(
            destination=row.destination, url=row.url(keyring), token=row.token(keyring)
        )
    of_users = await _addresses_of(session, workspace, row.user_ids)
    addresses = list(dict.fromkeys([*row.email_addresses, *of_users]))
    return Recipient(destination=row.destination, addresses=addresses)


async def _addresses_of(
    session: AsyncSession, workspace: Workspace, user_ids: Sequence[str]
) -> list[str]:
    if not user_ids:
        return []
    query = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            User.id.in_(user_ids),
            Membership.organization_id == workspace.organization_id,
            User.email != "",
            ~User.is_suspended,
        )
        .order_by(User.id)
    )
    return [
        user.email
        for user in (await session.scalars(query)).all()
        if await may(session, actor_of(user), Permission.READ_RUNS, workspace.place)
    ]


async def verification_of(
    session: AsyncSession,
    workspace: Workspace,
    *,
    configuration_id: str,
    name: str,
    by: str,
    public_url: str,
) -> Story:
    """Return what is said to see whether somebody takes it."""
    organization = await session.get_one(Organization, workspace.organization_id)
    delivery = NotificationDelivery(
        trigger=VERIFICATION, configuration_id=configuration_id, happened_at=now()
    )
    return _story(delivery, workspace, organization, name, public_url, by=by)


async def story_of(
    session: AsyncSession,
    delivery: NotificationDelivery,
    row: NotificationConfiguration,
    workspace: Workspace,
    public_url: str,
) -> Story:
    """Return what is said of a delivery that is about a run."""
    organization = await session.get_one(Organization, workspace.organization_id)
    run = await session.get_one(Run, delivery.run_id)
    plan = (
        await session.scalars(
            select(RunPhase).where(RunPhase.run_id == run.id, RunPhase.phase == Phase.PLAN)
        )
    ).one()
    names = await names_of(session, [run.created_by, delivery.actor_id])
    page = f"{public_url}/app/{organization.name}/{workspace.name}/runs/{run.id}"
    told = Told(
        id=run.id,
        message=run.message,
        created_at=run.created_at,
        created_by=names.get(run.created_by, ""),
        url=page if public_url else "",
        error=run.error if delivery.status == run.status else "",
        counts=_counts(plan),
    )
    drifted = workspace.drifted if delivery.trigger == Trigger.DRIFTED else 0
    by = names.get(delivery.actor_id, "")
    return _story(
        delivery, workspace, organization, row.name, public_url, by=by, run=told, drifted=drifted
    )


def _story(
    delivery: NotificationDelivery,
    workspace: Workspace,
    organization: Organization,
    name: str,
    public_url: str,
    *,
    by: str,
    run: Told | None = None,
    drifted: int = 0,
) -> Story:
    configuration_id = delivery.configuration_id
    api = f"{public_url}/api/v2/notification-configurations/{configuration_id}"
    return Story(
        configuration_id=configuration_id,
        configuration_name=name,
        configuration_url=api if public_url else "",
        trigger=delivery.trigger,
        status=delivery.status or "",
        happened_at=delivery.happened_at,
        by=by,
        workspace_id=workspace.id,
        workspace=workspace.name,
        organization=organization.name,
        run=run,
        drifted=drifted,
    )


def _counts(plan: RunPhase) -> tuple[int, int, int] | None:
    if plan.additions is None:
        return None
    return plan.additions, plan.changes or 0, plan.destructions or 0
