"""A real platform out of separate processes, and the ways to break them.

PostgreSQL, servers and workers are started as an operator would start them apart: on
LANDFORM_DATABASE_URL, with nothing shared but the database, the store and the key. Clients reach
the servers, and all of them the database, through proxies that can lose what passes.
"""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import psycopg
from psycopg.rows import dict_row

from landform import schema
from landform.bootstrap import create_home
from landform.identity import tokens, users
from landform.identity.actor import SYSTEM, ActorKind
from landform.identity.first_admin import FIRST_ADMIN
from landform.kit import failpoints
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.early import SUPERVISOR_VARIABLE
from landform.kit.failpoints import FailPoint
from landform.kit.postgres import EmbeddedPostgres
from landform.wiring import METADATA
from tests.cli.command import environment, eventually, landform_command
from tests.faults.proxy import Proxy
from tests.networks import Port

LEASE_S = 6.0  # so that a machine which stands still for two seconds costs nobody its own
GRACE_S = 6.0
RECOVERY_S = 15.0
"""An attempt that died must be seen within this; with this lease it takes half of it."""

SERVERS = 2

_START_S = 60.0
_END_S = 60.0
# A listener's last statement is this, or how it finds out whether it is still connected.
_LISTENS = "usename = current_user AND query ~* '(LISTEN|SELECT 1$)'"


@dataclass(eq=False)
class Part:
    """One process of the platform.

    Attributes:
        settings: what it was started with that not all are.
    """

    name: str
    popen: subprocess.Popen[bytes]
    output: Path
    settings: Mapping[str, str]
    address: tuple[str, int] | None = None

    @property
    def pid(self) -> int:
        """Its process id, also that of its group."""
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended; one that is frozen has not."""
        return self.popen.poll() is None

    def kill(self) -> None:
        """End the process, and it alone, as the kernel does when memory runs out."""
        self.popen.kill()
        self.popen.wait(_END_S)

    def freeze(self) -> None:
        """Stop it where it is; what it started goes on."""
        self.popen.send_signal(signal.SIGSTOP)
        eventually(lambda: _state(self.pid) == "T", within_s=15)

    def thaw(self) -> None:
        """Let it go on, as if no time had passed for it."""
        self.popen.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end; returns at once."""
        self.popen.terminate()

    def wait(self, within_s: float = _END_S) -> int:
        """Return its exit status once it has ended."""
        return self.popen.wait(within_s)

    def said(self) -> list[dict[str, Any]]:
        """Return the lines of its log so far."""
        *whole, _ = self.output.read_text(errors="replace").split("\n")  # the last is being written
        return [json.loads(line) for line in whole if line.startswith("{")]

    def has_said(self, event: str) -> bool:
        """Whether its log has such an event."""
        return any(line.get("event") == event for line in self.said())


class Postgres(EmbeddedPostgres):
    """The database, which can also be one that follows another and so only reads."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._data = directory / "data"

    def stand_by(self) -> None:
        """Have the next start be a standby's."""
        owner = self._data.stat()
        signal_file = self._data / "standby.signal"
        signal_file.touch()
        os.chown(signal_file, owner.st_uid, owner.st_gid)

    def promote(self, url: str) -> None:
        """Have the standby take changes again."""
        superuser = url.replace("://landform@/landform?", "://postgres@/postgres?")
        with psycopg.connect(superuser, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)

    def _is_ready(self, sockets: Path) -> bool:
        # The product's own never is a standby, so to it that is no server.
        file = self._data / "postmaster.pid"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.strip() for line in lines[7:]] == ["standby"] or super()._is_ready(sockets)


@dataclass
class Platform:
    """The whole of it.

    Attributes:
        settings: more environment for each process started from now on.
        settled: workspaces whose tests are over.
        url: of the proxy before the servers, which takes clients to one that lives.
        database_url: of the database itself, whatever happens to the proxy before it.
        recoveries: what was measured: how long what took, in seconds.
    """

    directory: Path
    worker_count: int = 2
    settings: dict[str, str] = field(default_factory=dict)
    servers: list[Part] = field(default_factory=list)
    workers: list[Part] = field(default_factory=list)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    url: str = ""
    token: str = ""
    database_url: str = ""
    postgres: "Postgres" = field(init=False)
    database: Proxy = field(init=False)
    balancer: Proxy = field(init=False)
    _started: int = 0
    _ports: list[Port] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """Where objects, the key, tools and work directories are."""
        return self.directory / "home"

    @property
    def temporary(self) -> Path:
        """What servers have for /tmp."""
        return self.directory / "tmp"

    def rooms(self) -> list[Path]:
        """Return the directories of the workers, each one's own."""
        return sorted((self.home / "work").iterdir())

    @property
    def arms(self) -> Path:
        """Where a file with a fail point's name lets the first process that comes there die."""
        return self.directory / "fail-points"

    @contextmanager
    def running(self) -> Iterator["Platform"]:
        """Run it for as long as the context lasts."""
        self.arms.mkdir()
        self.temporary.mkdir()
        with ExitStack() as stack:
            self.postgres = Postgres(self.directory / "postgres")
            self.database_url = asyncio.run(self.postgres.start())
            stack.callback(lambda: asyncio.run(self.postgres.stop()))
            asyncio.run(self._prepare())
            sockets = self.directory / "database"
            sockets.mkdir(mode=0o755)
            name = self._database_socket().name
            self.database = Proxy(sockets / name, lambda: [self._database_socket()])
            stack.enter_context(self.database.running())
            self.balancer = Proxy(("127.0.0.1", 0), self._addresses)
            stack.enter_context(self.balancer.running())
            assert isinstance(self.balancer.at, tuple)
            self.url = "http://{}:{}".format(*self.balancer.at)
            self.settings = {"LANDFORM_PUBLIC_URL": self.url, **self.settings}
            stack.callback(self._remove_shortcuts)
            stack.callback(self._kill_everything)
            self.restore()
            yield self

    def arm(self, point: FailPoint) -> None:
        """Have the first process that comes to `point` die there, as by kill -9."""
        (self.arms / point).touch()

    def was_reached(self, point: FailPoint) -> bool:
        """Whether a process has come to the point that was armed, and has died there."""
        came = {file.suffix for file in self.arms.glob(f"{point}.*")}
        parts = (*self.servers, *self.workers)
        return any(f".{part.pid}" in came and not part.is_alive for part in parts)

    def disarm(self) -> None:
        """Let nobody die any more."""
        for arm in self.arms.iterdir():
            arm.unlink(missing_ok=True)

    def kill_servers(self) -> None:
        """Have no server at all."""
        for server in self.servers:
            server.kill()
        self.servers.clear()

    @contextmanager
    def without_postgres(self, *, at_least_s: float) -> Iterator[None]:
        """End the database in order, and start it again after the context and some time."""
        asyncio.run(self.postgres.stop())
        stopped = time.monotonic()
        try:
            yield
            eventually(lambda: since(stopped) > at_least_s, within_s=at_least_s + 1)
        finally:
            self.database_url = asyncio.run(self.postgres.start())

    @contextmanager
    def with_standby(self) -> Iterator[None]:
        """Have a standby answer in the database's place; it is promoted after the context."""
        asyncio.run(self.postgres.stop())
        self.postgres.stand_by()
        self.database_url = asyncio.run(self.postgres.start())
        try:
            yield
        finally:
            self.postgres.promote(self.database_url)

    def measured(self, what: str, seconds: float) -> None:
        """Note how long a recovery took, for the end of the tests' output."""
        self.recoveries.setdefault(what, []).append(seconds)

    def restore(self) -> None:
        """Have as many healthy workers and servers as there were in the beginning."""
        self.disarm()
        started = self.replace_dead()
        eventually(lambda: all(map(_is_ready, started)), within_s=_START_S, say=self.everything)

    def replace_dead(self) -> list[Part]:
        """Start as many workers and servers as are missing; return them before they are ready."""
        for part in (*self.workers, *self.servers):
            if part.is_alive:
                part.thaw()
        self.workers = [worker for worker in self.workers if worker.is_alive]
        self.servers = [server for server in self.servers if server.is_alive]
        workers = [self._start("worker") for _ in range(self.worker_count - len(self.workers))]
        servers = [self._start_server() for _ in range(SERVERS - len(self.servers))]
        self.workers += workers
        self.servers += servers
        return [*self.workers, *self.servers]

    @contextmanager
    def workers_with(self, **settings: str) -> Iterator["Platform"]:
        """Have only workers that were started with these settings; after the context, none.

        Where all have them anyhow, nobody is started.
        """
        before, self.settings = self.settings, {**self.settings, **settings}
        try:
            self._kill_others(self.workers)
            self.restore()
            yield self
        finally:
            self.settings = before
            self._kill_others(self.workers)

    @contextmanager
    def everything_with(self, **settings: str) -> Iterator["Platform"]:
        """Have only workers and servers that were started with these settings; then none.

        Where all have them anyhow, nobody is started.
        """
        self._kill_others(self.servers, settings)
        with self.workers_with(**settings):
            yield self
        self._kill_others(self.servers)

    @contextmanager
    def agents(self, token: str, count: int = 1) -> Iterator[list[Part]]:
        """Have agents with this token, each on a machine of its own, for as long as it lasts."""
        started = [
            self._start(
                "agent",
                LANDFORM_DATABASE_URL="",
                LANDFORM_HOME=str(self.directory / f"agent-{self._started + 1}"),
                LANDFORM_URL=self.url,
                LANDFORM_AGENT_TOKEN=token,
            )
            for _ in range(count)
        ]
        try:
            for agent in started:
                eventually(
                    lambda agent=agent: agent.has_said("agent ready"),  # type: ignore[misc] # bound
                    within_s=_START_S,
                    say=lambda agent=agent: agent.output.read_text(errors="replace"),  # type: ignore[misc] # bound
                )
            yield started
        finally:
            for agent in started:
                if agent.is_alive:
                    agent.thaw()
                    agent.kill()

    def worker_of(self, run_id: str) -> Part:
        """Return the worker that has the run's plan or apply now."""
        (row,) = self.rows(
            "SELECT worker_id FROM leases WHERE run_id = %s AND state = 'leased'", run_id
        )
        pid = int(row["worker_id"].rpartition("-")[2])
        (worker,) = (worker for worker in self.workers if worker.pid == pid)
        return worker

    def sees_death_of(self, run_id: str, *, epoch: int = 1) -> None:
        """Return once this attempt at the run's plan is nobody's any more, which must be soon.

        How long another takes to begin depends on the machine, and is not waited for here.
        """
        held = "SELECT 1 FROM leases WHERE run_id = %s AND state = 'leased' AND epoch = %s"
        eventually(
            lambda: not self.rows(held, run_id, epoch), within_s=RECOVERY_S, say=self.everything
        )

    def rows(self, query: str, *values: object) -> Sequence[dict[str, Any]]:
        """Ask the database itself."""
        with psycopg.connect(
            self.database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def change(self, statement: str, *values: object) -> int:
        """Change the database behind the platform's back; return how many rows that were."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).rowcount

    def until_all_listen(self) -> None:
        """Return once every worker and server listens, as they do a moment after they are ready."""
        # A listener of ours and one of the job engine's for each of two queues in each worker, one
        # in each server.
        wanted = 3 * self.worker_count + SERVERS
        count = f"SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {_LISTENS}"
        eventually(lambda: len(self.rows(count)) >= wanted, within_s=30)

    def cut_connections(self, *, only_listeners: bool) -> int:
        """End connections to the database, as a failover would; return how many, all gone."""
        which = _LISTENS if only_listeners else "usename = current_user"
        cut = self.rows(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE pid <> pg_backend_pid() AND {which}"
        )
        pids = [each["pid"] for each in cut]
        left = "SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)"
        eventually(lambda: not self.rows(left, pids), within_s=15)
        return len(cut)

    def everything(self) -> str:
        """Return the end of every process's log, for a failure's message."""
        return "\n".join(
            f"--- {part.name}\n{part.output.read_text(errors='replace')[-4000:]}"
            for part in (*self.servers, *self.workers)
        )

    async def _prepare(self) -> None:
        """Make schema, key, first admin and a token, as an operator does before the first start."""
        assert METADATA.tables
        create_home(self.home)
        await schema.migrate(self.database_url)
        engine = make_engine(self.database_url, pool_size=1)
        async with transaction(make_sessions(engine)) as session:
            await users.ensure_first_admin(session)
            admin = await users.by_username(session, FIRST_ADMIN)
            assert admin is not None
            _, self.token = await tokens.issue(
                session, SYSTEM, owner_kind=ActorKind.USER, owner_id=admin.id
            )
        await engine.dispose()

    def _kill_others(
        self, parts: Sequence[Part], settings: Mapping[str, str] | None = None
    ) -> None:
        """Kill those that were started with other settings than ours and these."""
        wanted = {**self.settings, **(settings or {})}
        for part in parts:
            if part.is_alive and part.settings != wanted:
                part.thaw()
                part.kill()

    def _start_server(self) -> Part:
        port = Port()
        self._ports.append(port)
        server = self._start("server", LANDFORM_PORT=str(port.number), TMPDIR=str(self.temporary))
        server.address = ("127.0.0.1", port.number)
        return server

    def _kill_everything(self) -> None:
        for part in (*self.workers, *self.servers):
            if part.is_alive:
                part.thaw()
                part.kill()
        for port in self._ports:
            port.close()

    def _remove_shortcuts(self) -> None:
        """Remove the links to deep directories that workers without a sandbox make."""
        for link in Path(tempfile.gettempdir()).glob("landform-*"):
            if link.is_symlink() and self.directory in link.readlink().parents:
                link.unlink()

    def _addresses(self) -> list[tuple[str, int]]:
        return [each.address for each in self.servers if each.address is not None]

    def _database_socket(self) -> Path:
        query = parse_qs(urlsplit(self.database_url).query)
        return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")

    def _proxied_database_url(self) -> str:
        host = str(self._database_socket().parent)
        assert isinstance(self.database.at, Path)
        return self.database_url.replace(
            f"host={quote(host, safe='')}", f"host={quote(str(self.database.at.parent), safe='')}"
        )

    def _start(self, command: str, **settings: str) -> Part:
        self._started += 1
        name = f"{command}-{self._started}"
        output = self.directory / f"{name}.log"
        given = {
            "LANDFORM_HOME": str(self.home),
            "LANDFORM_DATABASE_URL": self._proxied_database_url(),
            failpoints.VARIABLE: str(self.arms),
            "LANDFORM_LOG_FORMAT": "json",
            "LANDFORM_LEASE_S": str(LEASE_S),
            "LANDFORM_SWEEP_S": "0.3",
            "LANDFORM_CANCEL_GRACE_S": str(GRACE_S),
            "LANDFORM_TOOLCHAIN_OFFLINE": "true",
            # With it, the process ends when ours does.
            SUPERVISOR_VARIABLE: str(os.getpid()),
            **self.settings,
            **settings,
        }
        with output.open("wb") as file:
            popen = subprocess.Popen(
                landform_command(command),
                env=environment(**given),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        return Part(name, popen, output, dict(self.settings))


def _is_ready(part: Part) -> bool:
    assert part.is_alive, part.output.read_text(errors="replace")[-4000:]
    if part.address is None:
        return part.has_said("worker ready")
    try:
        answer = httpx2.get(
            "http://{}:{}/readyz".format(*part.address), trust_env=False, timeout=5.0
        )
    except httpx2.HTTPError:
        return False
    return answer.status_code == httpx2.codes.OK


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def since(moment: float) -> float:
    """Return the seconds since a moment of the monotonic clock."""
    return time.monotonic() - moment
