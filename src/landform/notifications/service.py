"""Configurations set, verified, changed and taken away.

What is enabled is verified first, outside of any transaction: nothing that nobody takes is kept as
if somebody did. So each of these opens its own transactions, one before that and one after.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.kit.egress import NoAnswerError
from landform.kit.errors import ConflictError, InvalidError, MalformedError
from landform.kit.ids import new_id
from landform.notifications import queries
from landform.notifications.drafting import Draft, Given, draft
from landform.notifications.events import (
    NotificationConfigurationChanged,
    NotificationConfigurationCreated,
    NotificationConfigurationDeleted,
    NotificationTested,
)
from landform.notifications.models import (
    Destination,
    NotificationConfiguration,
    NotificationDelivery,
)
from landform.notifications.payloads import Story
from landform.notifications.post import Post
from landform.notifications.queries import PER_WORKSPACE
from landform.notifications.recording import record
from landform.notifications.sending import Heard, Recipient, send
from landform.notifications.telling import recipient_of, verification_of
from landform.notifications.triggers import VERIFICATION
from landform.workspaces import queries as workspaces
from landform.workspaces import rows
from landform.workspaces.models import Workspace

_OFF: Final = "It was switched off before this was sent."
_MEANWHILE: Final = "Somebody changed the configuration meanwhile; look at it, and try again."


class VerificationError(MalformedError):
    """The destination did not take the test, so that it is not enabled. TFE answers 400."""


@dataclass(frozen=True)
class _Probe:
    """What is to be sent, and where to, before a draft is kept."""

    configuration_id: str
    draft: Draft
    recipient: Recipient
    story: Story


async def create(
    post: Post, actor: Actor, workspace_id: str, given: Given
) -> NotificationConfiguration:
    """Have the workspace's runs told of.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        InvalidError: a part cannot be; or it leads where nothing may be sent.
        VerificationError: it is to be enabled, and does not take a test.
        ConflictError: the workspace has as many as it may.
    """
    configuration_id = new_id("nc")
    async with transaction(post.sessions) as session:
        workspace = await _changeable(session, actor, workspace_id)
        await _require_room(session, workspace)
        made = await draft(session, post.keyring, workspace.organization_id, given)
        probe = await _probe(session, post, actor, workspace, configuration_id, made)
    heard = await _verified(post, probe)
    async with transaction(post.sessions) as session:
        workspace = await rows.locked(session, workspace_id)
        await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
        await _require_room(session, workspace)
        row = NotificationConfiguration(
            id=configuration_id,
            workspace_id=workspace.id,
            destination=made.destination,
            created_by=actor.id,
        )
        _fill(post, actor, row, made)
        session.add(row)
        await session.flush()
        events.publish(
            session,
            NotificationConfigurationCreated(
                actor_id=actor.id,
                organization_id=workspace.organization_id,
                subject_id=row.id,
                workspace_id=workspace.id,
                name=row.name,
                destination=row.destination,
                enabled=row.enabled,
                triggers=tuple(row.triggers),
            ),
        )
        await _keep(session, post, row, actor, heard)
    return row


async def change(
    post: Post, actor: Actor, configuration_id: str, given: Given
) -> NotificationConfiguration:
    """Set a configuration anew; raises as `create` does, and ConflictError for who is too late."""
    async with transaction(post.sessions) as session:
        row, workspace = await queries.get(session, actor, configuration_id)
        seen_at = row.updated_at
        made = await draft(session, post.keyring, workspace.organization_id, given, row)
        probe = await _probe(session, post, actor, workspace, row.id, made)
    heard = await _verified(post, probe)
    async with transaction(post.sessions) as session:
        workspace = await rows.locked(session, workspace.id)
        row, _ = await queries.get(session, actor, configuration_id)
        if row.updated_at != seen_at:
            raise ConflictError(_MEANWHILE)
        before = row.url(post.keyring), row.token(post.keyring)
        _fill(post, actor, row, made)
        await session.flush()
        if not row.enabled:
            await _forget_waiting(session, row)
        events.publish(
            session,
            NotificationConfigurationChanged(
                actor_id=actor.id,
                organization_id=workspace.organization_id,
                subject_id=row.id,
                workspace_id=workspace.id,
                name=row.name,
                enabled=row.enabled,
                triggers=tuple(row.triggers),
                address_changed=made.url != before[0],
                token_changed=made.token != before[1],
            ),
        )
        await _keep(session, post, row, actor, heard)
    return row


async def verify(post: Post, actor: Actor, configuration_id: str) -> NotificationConfiguration:
    """Send a test to where a configuration leads, enabled or not; what came of it is kept.

    Raises:
        ForbiddenError: `actor` may not change the workspace.
        VerificationError: it was not taken.
    """
    async with transaction(post.sessions) as session:
        row, workspace = await queries.get(session, actor, configuration_id)
        recipient = await recipient_of(session, post.keyring, workspace, row)
        story = await _test(session, post, actor, workspace, row.id, row.name)
    heard = await send(post, recipient, story)
    async with transaction(post.sessions) as session:
        row, workspace = await queries.get(session, actor, configuration_id)
        await _keep(session, post, row, actor, heard)
        events.publish(
            session,
            NotificationTested(
                actor_id=actor.id,
                organization_id=workspace.organization_id,
                subject_id=row.id,
                workspace_id=workspace.id,
                name=row.name,
                succeeded=heard.is_delivered,
            ),
        )
    if not heard.is_delivered:
        raise VerificationError(f"The test was not taken. {heard.problem}", pointer="url")
    return row


async def delete(session: AsyncSession, actor: Actor, configuration_id: str) -> None:
    """Take a configuration away, with what waits to be told by it.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may not change the workspace.
    """
    row, workspace = await queries.get(session, actor, configuration_id)
    await rows.locked(session, workspace.id)
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        NotificationConfigurationDeleted(
            actor_id=actor.id,
            organization_id=workspace.organization_id,
            subject_id=configuration_id,
            workspace_id=workspace.id,
            name=row.name,
        ),
    )


async def _changeable(session: AsyncSession, actor: Actor, workspace_id: str) -> Workspace:
    workspace = await workspaces.get(session, actor, workspace_id)
    await require(session, actor, Permission.UPDATE_WORKSPACE, workspace.place)
    return workspace


async def _require_room(session: AsyncSession, workspace: Workspace) -> None:
    query = (
        select(func.count())
        .select_from(NotificationConfiguration)
        .where(NotificationConfiguration.workspace_id == workspace.id)
    )
    if (await session.scalar(query) or 0) >= PER_WORKSPACE:
        raise ConflictError(f"A workspace has at most {PER_WORKSPACE} notification configurations.")


async def _probe(
    session: AsyncSession,
    post: Post,
    actor: Actor,
    workspace: Workspace,
    configuration_id: str,
    made: Draft,
) -> _Probe:
    recipient = await recipient_of(session, post.keyring, workspace, made)
    story = await _test(session, post, actor, workspace, configuration_id, made.name)
    return _Probe(configuration_id, made, recipient, story)


async def _test(
    session: AsyncSession,
    post: Post,
    actor: Actor,
    workspace: Workspace,
    configuration_id: str,
    name: str,
) -> Story:
    return await verification_of(
        session,
        workspace,
        configuration_id=configuration_id,
        name=name,
        by=actor.name,
        public_url=post.public_url,
    )


async def _verified(post: Post, probe: _Probe) -> Heard | None:
    """See that it leads where things may be sent; and, if it is enabled, that they are taken.

    Mail is not sent for that, as with TFE: that a server takes a mail says little.
    """
    if probe.draft.destination is Destination.EMAIL:
        if probe.draft.enabled:
            post.require_mail()
        return None
    if not probe.draft.enabled:
        try:
            await post.http.require_allowed(probe.draft.url)
        except NoAnswerError:
            return None  # what has no address yet is judged when it is used
        except InvalidError as failure:
            raise InvalidError(str(failure), pointer="url") from None
        return None
    heard = await send(post, probe.recipient, probe.story)
    if not heard.is_delivered:
        raise VerificationError(
            f"Nothing was saved, as the address did not take a test. {heard.problem}",
            pointer="url",
        )
    return heard


def _fill(post: Post, actor: Actor, row: NotificationConfiguration, made: Draft) -> None:
    row.name, row.enabled, row.triggers = made.name, made.enabled, made.triggers
    row.email_addresses, row.user_ids = made.email_addresses, made.user_ids
    row.keep_secrets(post.keyring, url=made.url, token=made.token)
    row.updated_by, row.updated_at = actor.id, now()


async def _keep(
    session: AsyncSession,
    post: Post,
    row: NotificationConfiguration,
    actor: Actor,
    heard: Heard | None,
) -> None:
    if heard is None:
        return
    delivery = NotificationDelivery(
        configuration_id=row.id, trigger=VERIFICATION, actor_id=actor.id, attempts=1
    )
    session.add(delivery)
    await session.flush()
    await record(session, post.keyring, delivery, heard)


async def _forget_waiting(session: AsyncSession, row: NotificationConfiguration) -> None:
    await session.execute(
        update(NotificationDelivery)
        .where(
            NotificationDelivery.configuration_id == row.id,
            NotificationDelivery.next_at.is_not(None),
        )
        .values(next_at=None, problem=_OFF)
    )
