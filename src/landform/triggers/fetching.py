"""The job that fetches a commit for every run that waits for it."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from landform.checkout import service as checkout
from landform.checkout.service import Checkout
from landform.configurations.models import ConfigurationVersion, Ingress
from landform.identity.actor import SYSTEM
from landform.kit import events
from landform.kit.db import transaction
from landform.kit.errors import LandformError, NotFoundError, UnavailableError
from landform.kit.tasks import defer
from landform.runs.models import Run
from landform.runs.uploads import receive_configuration, refuse_configuration
from landform.triggers.desk import Desk
from landform.triggers.starting import FETCH_COMMIT, QUEUE, waiting_for
from landform.vcs.credentials import open_provider
from landform.vcs.events import CommitFetched
from landform.vcs.models import Connection

log = structlog.get_logger()

_AGAIN_S: Final = (2, 10, 30, 60, 120, 300)  # what is away is tried again so often
_MESSAGE_LIMIT: Final = 4096  # characters of a commit's message

Waiting = Sequence[tuple[ConfigurationVersion, Ingress]]


async def fetch_commit(
    desk: Desk, *, connection_id: str, repository_id: str, commit: str, attempt: int = 0
) -> None:
    """Fetch the commit and hand it to the runs that wait for it, which then start.

    What cannot be fetched ends them, with the reason; who is away is tried again first.
    """
    async with transaction(desk.sessions) as session:
        waiting = await waiting_for(session, connection_id, repository_id, commit)
    for group in _alike(waiting):
        try:
            got = await _check_out(desk, group[0][1])
        except UnavailableError as failure:
            if attempt < len(_AGAIN_S):
                log.info("a commit is fetched again later", commit=commit, reason=str(failure))
                await _again(desk, connection_id, repository_id, commit, attempt)
                return
            await _refuse(desk, group, f"The repository could not be reached: {failure}")
        except LandformError as failure:
            await _refuse(desk, group, f"The commit could not be fetched: {failure}")
        else:
            await _hand_over(desk, group, *got)


def _alike(waiting: Waiting) -> list[Waiting]:
    """Return what waits by what it takes of the repository, so that each is fetched once."""
    groups: dict[tuple[bool, bool], list[tuple[ConfigurationVersion, Ingress]]] = {}
    for each in waiting:
        takes = each[1].with_submodules, each[1].with_large_files
        groups.setdefault(takes, []).append(each)
    return list(groups.values())


async def _check_out(desk: Desk, ingress: Ingress) -> tuple[Checkout, str]:
    """Return the commit, and where people look at it; empty when the provider does not say."""
    provider = await open_provider(desk.reach, ingress.connection_id)
    repository = await provider.repository(ingress.repository_id)
    url = ""
    try:
        url = (await provider.read_commit(repository, ingress.commit_sha)).url
    except LandformError as failure:
        log.info("a commit has no page", commit=ingress.commit_sha, reason=str(failure))
    got = await checkout.check_out(
        lambda: provider.clone_credentials(repository),
        ingress.commit_sha,
        ref=ingress.ref,
        with_submodules=ingress.with_submodules,
        large_files=desk.reach.services.http if ingress.with_large_files else None,
        allow=desk.reach.services.http.allow,
    )
    return got, url


async def _hand_over(desk: Desk, group: Waiting, got: Checkout, url: str) -> None:
    platform = desk.platform
    async with transaction(desk.sessions) as session:
        await _tell(session, group)
        for version, ingress in group:
            values = {
                "commit_url": url,
                "author_name": got.commit.author_name,
                "author_email": got.commit.author_email,
                "commit_message": got.commit.message[:_MESSAGE_LIMIT],
            }
            row = await session.get(Ingress, ingress.id)
            if row is None:
                continue  # its workspace was deleted
            for name, value in values.items():
                setattr(row, name, value)
            if ingress.pull_request_number is None and not ingress.commit_message:
                message = got.commit.message[:_MESSAGE_LIMIT]
                mine = Run.configuration_version_id == version.id
                await session.execute(update(Run).where(mine).values(message=message))
    for version, _ in group:
        try:
            await receive_configuration(
                platform.sessions,
                platform.store,
                platform.keyring,
                configuration_version_id=version.id,
                archive=got.archive,
            )
        except NotFoundError:
            continue  # its workspace was deleted
        except UnavailableError:
            raise
        except LandformError as failure:
            log.info("a commit is no configuration", configuration=version.id, reason=str(failure))


async def _tell(session: AsyncSession, group: Waiting) -> None:
    """Tell of the credential's use, once for all that the commit was fetched for."""
    ingress = group[0][1]
    connection = await session.get(Connection, ingress.connection_id)
    if connection is None:
        return  # it was deleted meanwhile
    events.publish(
        session,
        CommitFetched(
            actor_id=SYSTEM.id,
            organization_id=connection.organization_id,
            subject_id=connection.id,
            repository_id=ingress.repository_id,
            commit_sha=ingress.commit_sha,
            workspace_ids=sorted({version.workspace_id for version, _ in group}),
        ),
    )


async def _refuse(desk: Desk, group: Waiting, reason: str) -> None:
    for version, _ in group:
        try:
            await refuse_configuration(desk.sessions, version.id, reason)
        except LandformError as failure:
            log.info("already refused", configuration=version.id, reason=str(failure))


async def _again(
    desk: Desk, connection_id: str, repository_id: str, commit: str, attempt: int
) -> None:
    async with transaction(desk.sessions) as session:
        await defer(
            session,
            FETCH_COMMIT,
            queue=QUEUE,
            in_s=_AGAIN_S[attempt],
            connection_id=connection_id,
            repository_id=repository_id,
            commit=commit,
            attempt=attempt + 1,
        )
