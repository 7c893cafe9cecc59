"""`landform worker`: plans and applies, on a database and a store that others use as well."""

import asyncio
import os

from landform.bootstrap import configure_logs
from landform.cli.database import require_current_schema
from landform.kit.loops import NEW_LOOP
from landform.machine import make_toolchain, open_host, until_told
from landform.notifications.courier import Courier
from landform.notifications.post import Post
from landform.settings import Settings
from landform.triggers.background import Background
from landform.triggers.desk import Desk
from landform.wiring import make_mail, make_reach, open_platform
from landform.worker import Chores, Worker


def work(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM; what runs then gets `cancel_grace_s` to end by itself.

    Raises:
        ConflictError: the database is not at this version's schema.
        InvalidError: no database is set, or networks of runs or a mail server
            are set that cannot be.
        MissingKeyError: no key, or not the one the database was made with.
        UnavailableError: the database does not answer, or there is no sandbox, or no network
            of a run's own, where one is required.
    """
    with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
        runner.run(_work(settings))


async def _work(settings: Settings) -> None:
    redactor = configure_logs(settings, process="worker")
    os.nice(settings.worker_nice)
    await require_current_schema(settings)
    toolchain = make_toolchain(settings)
    public_url = settings.public_url.rstrip("/")
    rooms = settings.home / "work"
    async with (
        open_host(settings, toolchain, rooms=rooms, platform_url=public_url) as host,
        open_platform(settings, redactor) as platform,
    ):
        reach = make_reach(settings, platform.sessions, platform.keyring)
        mail = make_mail(settings)
        http = reach.services.http
        post = Post(platform.sessions, platform.keyring, http, mail, public_url)
        worker = Worker(
            platform,
            toolchain,
            host,
            database_url=settings.database_url.get_secret_value(),
            slots=settings.worker_slots,
            sweep_s=settings.sweep_s,
            farewell_s=settings.cancel_grace_s,
            chores=Chores(
                Background(
                    Desk(platform, reach, settings.vcs_hook_secret_days),
                    look_s=settings.vcs_poll_s,
                ),
                Courier(post),
            ),
        )
        try:
            await until_told(worker.run())
        finally:
            await reach.close()
