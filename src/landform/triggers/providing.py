"""The provider of one change's repository, opened only when a decision needs it."""

import structlog

from landform.checkout import service as checkout
from landform.kit.errors import LandformError
from landform.triggers.desk import Desk
from landform.vcs.credentials import open_provider
from landform.vcs.errors import ProviderAwayError
from landform.vcs.facts import Repository
from landform.vcs.provider import VcsProvider

log = structlog.get_logger()


class Providing:
    """The provider and the repository, asked for only when one is needed."""

    def __init__(self, desk: Desk, connection_id: str, repository_id: str) -> None:
        self._desk = desk
        self._connection_id = connection_id
        self._repository_id = repository_id
        self._opened: tuple[VcsProvider, Repository] | None = None

    async def open(self) -> tuple[VcsProvider, Repository]:
        """Return both, asked for once."""
        if self._opened is None:
            provider = await open_provider(self._desk.reach, self._connection_id)
            self._opened = provider, await provider.repository(self._repository_id)
        return self._opened

    async def changed_paths(self, before: str, after: str) -> frozenset[str] | None:
        """Ask the provider, and git when that cannot tell; None when neither can."""
        if not before or not after:
            return None
        provider, repository = await self.open()
        try:
            paths = await provider.changed_paths(repository, before, after)
        except ProviderAwayError:
            raise
        except LandformError as failure:
            log.info("the provider cannot compare", reason=str(failure))
            paths = None
        return paths if paths is not None else await self._by_git(before, after)

    async def pull_request_paths(self, number: int) -> frozenset[str] | None:
        """Ask the provider, and git when that cannot tell; None when neither can."""
        provider, repository = await self.open()
        try:
            paths = await provider.pull_request_paths(repository, number)
        except ProviderAwayError:
            raise
        except LandformError as failure:  # such as an answer that is too large to be read
            log.info("the provider cannot tell", reason=str(failure))
            paths = None
        if paths is not None:
            return paths
        pull = await provider.pull_request(repository, number)
        return await self._by_git(pull.merge_base, pull.source_commit) if pull.merge_base else None

    async def _by_git(self, before: str, after: str) -> frozenset[str] | None:
        provider, repository = await self.open()
        try:
            return await checkout.changed_paths(
                lambda: provider.clone_credentials(repository),
                before,
                after,
                allow=self._desk.reach.services.http.allow,
            )
        except LandformError as failure:
            log.info("git cannot compare", reason=str(failure))
            return None
