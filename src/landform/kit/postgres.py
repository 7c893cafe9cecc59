"""The embedded PostgreSQL: made, started, recovered and stopped by the process that needs it.

A server belongs to the process that started it: it ends in order (SIGINT, "fast") when `stop` is
called *or that process is gone*, kill -9 included; between the two stands `minder`. Others that
start the same directory meanwhile use the running server and do not end it. See
`postgres_directory` for the files and `postgres_account` for whom it runs as and who may connect.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

import psycopg
import structlog
from psycopg import sql

from landform.kit.errors import LandformError, UnavailableError
from landform.kit.minded import MindedProgram
from landform.kit.postgres_account import (
    PORT,
    Account,
    choose_account,
    give_tree,
    socket_directory,
    write_access_rules,
)
from landform.kit.postgres_binaries import CACHE, Binaries, find_binaries, reachable_binaries
from landform.kit.postgres_directory import PostgresDirectory

# What the safety of the data and of the socket rests on; the command line wins over the files.
_FIXED: Final = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "logging_collector": "off",
    "log_destination": "stderr",
}
# Written into postgresql.conf when the cluster is made; the operator may change them there.
_INITIAL: Final = {
    "max_connections": "150",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "jit": "off",
}
_TAIL_LINES: Final = 12
_TAIL_BYTES: Final = 8192
_SUPERUSER: Final = "postgres"
_POLL_S: Final = 0.02
_WATCH_S: Final = 0.25
_PROGRESS_S: Final = 5.0
# "Fast" ends sessions and writes a checkpoint; "immediate" leaves the recovery to the next start.
_STOP: Final = [(int(signal.SIGINT), 60.0), (int(signal.SIGQUIT), 10.0), (int(signal.SIGKILL), 5.0)]
_KILL: Final = [(int(signal.SIGKILL), 5.0)]
_ORPHAN_GRACE_S: Final = 2.0
_ORPHAN_PATIENCE_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0

log = structlog.get_logger()


class EmbeddedPostgres:
    """One directory's server, and one database in it.

    Attributes:
        url: where the database is, `postgresql://…` for psycopg and SQLAlchemy; empty before the
            first start. The role in it owns the database and is no superuser.
    """

    def __init__(
        self,
        directory: Path,
        *,
        database: str = "landform",
        start_timeout_s: float = 300.0,
        cache: Path = CACHE,
    ) -> None:
        """Describe a server; nothing is touched before `start`.

        Args:
            database: name of the database and of the role that owns it.
            start_timeout_s: how long a start may take; recovery after a crash of a large
                database takes minutes.
            cache: where root puts a copy of the programs that other users can reach.
        """
        self._directory = PostgresDirectory(directory)
        self._database = database
        self._start_timeout_s = start_timeout_s
        self._cache = cache
        self._server: MindedProgram | None = None
        self._claim: int | None = None
        self.url = ""

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive, be it ours or another's."""
        if self._server is not None:
            return self._server.status is None
        recorded = self._directory.postmaster()
        return recorded is not None and recorded.pid in self._directory.processes()

    @property
    def is_owner(self) -> bool:
        """Whether the server ends with this process."""
        return self._server is not None

    async def start(self) -> str:
        """Start the server, or attach to the one that another process runs; return `url`.

        Makes the cluster and the database when they are not there. A server that has lost its
        owner is ended first, in order.

        Raises:
            WrongVersionError: the data is another major version's.
            ConflictError: the data is another user's, or is none.
            UnavailableError: the server does not start; the message has the end of its log.
        """
        if self._server is not None and self._server.status is None:
            return self.url
        await self.stop()
        deadline = time.monotonic() + self._start_timeout_s
        while (lock := self._directory.lock()) is None:
            if await self._attach():
                return self.url
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"Another process holds {self._directory.path} and its server is not ready "
                    f"after {self._start_timeout_s:.0f} s."
                )
            await asyncio.sleep(_POLL_S)
        try:
            await self._own(lock, deadline)
        except BaseException as error:
            await self.stop()
            if isinstance(error, OSError | psycopg.Error):
                raise UnavailableError(
                    f"The embedded PostgreSQL in {self._directory.path} cannot be run: {error}"
                ) from error
            raise
        finally:
            os.close(lock)  # the minder has its own copy
        return self.url

    async def stop(self) -> None:
        """End the server in order if it is ours; the data stays. Waits until it is gone."""
        claim, self._claim = self._claim, None
        if claim is not None:
            os.close(claim)
        server, self._server = self._server, None
        if server is not None:
            await server.end()

    async def wait(self) -> None:
        """Return when the server is no longer running."""
        if self._server is not None:
            await self._server.wait()
            return
        while True:
            if not self.is_running:
                return
            await asyncio.sleep(_WATCH_S)

    async def keep_running(self) -> NoReturn:
        """Start the server again whenever it ends, with growing pauses.

        Runs until cancelled, which is to be done before `stop`.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            await self.wait()
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            log.error("postgres.ended", directory=str(self._directory.path), again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            try:
                await self.start()
            except LandformError as error:
                log.warning("postgres.not_started", reason=str(error))

    async def _attach(self) -> bool:
        recorded = self._directory.postmaster()
        # An unclaimed server is about to end, though it may still answer.
        if recorded is None or not recorded.is_ready or not self._directory.is_claimed():
            return False
        url = _url(self._database, self._database, recorded.socket_directory)
        try:
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=5)
        except psycopg.OperationalError:
            return False
        await connection.close()
        self.url = url
        return True

    async def _own(self, lock: int, deadline: float) -> None:
        directory = self._directory
        account = choose_account(directory.path, directory.data)
        binaries = await asyncio.to_thread(self._binaries, account)
        exists = directory.has_data(binaries.major)
        await self._end_orphans(deadline)
        if not exists:
            await self._initialise(binaries, account, lock, deadline)
        elif directory.data.stat().st_uid != account.uid:
            give_tree(directory.data, account)  # restored by root from a copy
        owners = {os.geteuid(), account.uid, directory.path.stat().st_uid, 0}
        write_access_rules(directory.data, owners)
        sockets = socket_directory(directory.path, account)
        directory.forget_postmaster(sockets)
        settings = {
            **_FIXED,
            "unix_socket_directories": '"' + str(sockets).replace('"', '""') + '"',
        }
        written_before = self._log_size()
        self._server = self._run(
            [str(binaries.postgres), "-D", account.path_to(directory.data), *_flags(settings)],
            account,
            cwd=directory.data,
            lock=lock,
            stop=_STOP,
            discard=[str(sockets)],
        )
        await self._wait_until_ready(self._server, sockets, deadline, written_before)
        await self._make_database(sockets)
        self._claim = directory.claim()
        self.url = _url(self._database, self._database, sockets)

    def _binaries(self, account: Account) -> Binaries:
        found = find_binaries()
        return found if account.is_ours else reachable_binaries(found, cache=self._cache)

    async def _end_orphans(self, deadline: float) -> None:
        """End what is left of a server whose minder is gone: we hold the lock, so it has none."""
        began, sent = time.monotonic(), None
        while orphans := self._directory.processes():
            waited_s = time.monotonic() - began
            recorded = self._directory.postmaster()
            signum = None
            if recorded is not None and recorded.pid in orphans:
                orphans = [recorded.pid]
                signum = signal.SIGINT if waited_s < _STOP[0][1] else signal.SIGQUIT
            elif waited_s > _ORPHAN_GRACE_S:  # else they are about to notice that it died
                signum = signal.SIGQUIT if waited_s < _ORPHAN_PATIENCE_S else signal.SIGKILL
            if signum is not None and signum != sent:
                log.warning("postgres.orphans", pids=orphans, signal=signum.name)
                for pid in orphans:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signum)
                sent = signum
            if time.monotonic() > deadline:
                raise UnavailableError(f"PostgreSQL processes {orphans} do not end.")
            await asyncio.sleep(_POLL_S)

    async def _initialise(
        self, binaries: Binaries, account: Account, lock: int, deadline: float
    ) -> None:
        maker = account.for_initdb
        fresh = self._directory.new_data(maker)
        log.info("postgres.initialising", directory=str(self._directory.path))
        written_before = self._log_size()
        argv = [str(binaries.initdb), "-D", maker.path_to(fresh), "-U", _SUPERUSER]
        argv += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--locale=C", "--data-checksums", "--auth=peer", "--no-instructions"]
        program = self._run(
            [*argv, *_flags(_INITIAL)], maker, cwd=fresh, lock=lock, stop=_KILL, discard=[]
        )
        try:
            await program.wait(timeout_s=deadline - time.monotonic())
        finally:
            await program.end()
        if program.status != 0:
            raise self._failure("cannot be set up", written_before)
        self._directory.take_data(fresh, account)

    def _run(
        self,
        argv: list[str],
        account: Account,
        *,
        cwd: Path,
        lock: int,
        stop: list[tuple[int, float]],
        discard: list[str],
    ) -> MindedProgram:
        output = self._directory.open_log()
        try:
            return MindedProgram(
                argv,
                cwd=cwd,
                output=output,
                stop=stop,
                run_as=None if account.is_ours else (account.uid, account.gid),
                kept=[lock],
                discard=discard,
            )
        finally:
            os.close(output)

    async def _wait_until_ready(
        self, server: MindedProgram, sockets: Path, deadline: float, written_before: int
    ) -> None:
        began = reported = time.monotonic()
        while True:
            if self._is_ready(sockets):
                return
            if server.status is not None:
                raise self._failure("does not start", written_before)
            now = time.monotonic()
            if now > deadline:
                raise self._failure(f"is not ready after {now - began:.0f} s", written_before)
            if now - reported > _PROGRESS_S:
                reported = now
                log.info("postgres.starting", waited_s=round(now - began), log=self._tail(0, 1))
            await asyncio.sleep(_POLL_S)

    def _is_ready(self, sockets: Path) -> bool:
        recorded = self._directory.postmaster()
        return (
            recorded is not None
            and recorded.is_ready
            and recorded.socket_directory == sockets
            # It may be what a server left that was killed, and at the same place.
            and recorded.pid in self._directory.processes()
        )

    async def _make_database(self, sockets: Path) -> None:
        """Make the role and the database that are not there yet."""
        url = _url(_SUPERUSER, _SUPERUSER, sockets)
        name = sql.Identifier(self._database)
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
        async with connection:
            answer = await connection.execute(
                "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(name)s),"
                " EXISTS (SELECT FROM pg_database WHERE datname = %(name)s)",
                {"name": self._database},
            )
            has_role, has_database = await answer.fetchone() or (False, False)
            if not has_role:
                await connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
            if not has_database:
                await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))

    def _failure(self, what: str, written_before: int) -> UnavailableError:
        said = self._tail(written_before, _TAIL_LINES)
        return UnavailableError(
            f"The embedded PostgreSQL in {self._directory.path} {what}. It says: {said}"
        )

    def _log_size(self) -> int:
        return self._directory.log.stat().st_size if self._directory.log.exists() else 0

    def _tail(self, start: int, lines: int) -> str:
        """Return the last `lines` lines of the log after byte `start`."""
        with self._directory.log.open("rb") as file:
            file.seek(max(start, self._log_size() - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _flags(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _url(role: str, database: str, sockets: Path) -> str:
    host = quote(str(sockets), safe="")
    return (
        f"postgresql://{quote(role, safe='')}@/{quote(database, safe='')}?host={host}&port={PORT}"
    )
