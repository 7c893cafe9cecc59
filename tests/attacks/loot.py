"""Where secrets may have got to: what a run sent outside, the database, and every file."""

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psycopg
from psycopg import sql

from tests.cli.command import eventually
from tests.files import contents_below


class Collector:
    """Listens on loopback, as an attacker's machine would elsewhere, and keeps all it is sent."""

    def __init__(self) -> None:
        self.loot: list[bytes] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.collector = self

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @contextmanager
    def running(self) -> Iterator["Collector"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def wait(self, count: int = 1, *, within_s: float = 180.0) -> str:
        """Return what came, once so many have sent theirs whole."""
        eventually(lambda: len(self.loot) >= count, within_s=within_s)
        return b"\n".join(self.loot).decode(errors="replace")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    collector: Collector


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        cast(_Server, self.server).collector.loot.append(self.rfile.read())


def forms(secret: str) -> list[bytes]:
    """Return how a secret may be written in what is searched: as it is, in hexadecimal, base64."""
    raw = secret.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode()]
    for offset, skip in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * offset + raw)
        found.append(encoded[skip : (offset + len(raw)) * 8 // 6])
    return found


def holds(haystack: bytes, secret: str) -> bool:
    """Tell whether `haystack` has the secret in any form."""
    return any(form in haystack for form in forms(secret))


def dump(database_url: str) -> dict[str, bytes]:
    """Return every table of the database as text; bytes are in hexadecimal there."""
    tables = {}
    with psycopg.connect(database_url, autocommit=True) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (name,) in names:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))
            rows = connection.execute(query).fetchall()
            tables[name] = "\n".join(row[0] for row in rows).encode()
    return tables


def files_with(root: Path, secret: str) -> list[str]:
    """Return the files below `root`, the database's own included, that hold the secret."""
    return [
        str(path.relative_to(root)) for path, data in contents_below(root) if holds(data, secret)
    ]


def tables_with(database_url: str, secret: str) -> list[str]:
    """Return the tables that hold the secret."""
    return [name for name, text in dump(database_url).items() if holds(text, secret)]
