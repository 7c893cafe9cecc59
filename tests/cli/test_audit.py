"""`landform audit` on a database that a server has sealed."""

import json
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from landform.audit import chain
from landform.cli.audit import export, verify
from landform.kit.crypto import KEY_BYTES, Keyring
from landform.kit.db import make_engine, make_sessions
from landform.schema import migrate
from landform.settings import Settings
from tests.audit.test_chain import happen

_KEY = "07" * KEY_BYTES


@pytest.fixture
async def settings(empty_url: str, tmp_path: Path) -> Settings:
    await migrate(empty_url)
    engine = make_engine(empty_url)
    sessions = make_sessions(engine)
    await happen(sessions, "ann", "bea")
    await chain.extend(sessions, Keyring(bytes.fromhex(_KEY)))
    await engine.dispose()
    return Settings(
        home=tmp_path,
        database_url=SecretStr(empty_url),
        encryption_key=SecretStr(_KEY),
    )


async def test_verify_prints_what_to_note_and_finds_what_was_altered(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await verify(settings, "")
    noted = capsys.readouterr().out.splitlines()[-1].rpartition(" ")[2]
    assert await verify(settings, noted)
    url = settings.database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE events SET actor_id = 'mallory' WHERE position = 1")
    assert not await verify(settings, "")
    assert "Event 1 (PasswordChanged) was altered." in capsys.readouterr().out


async def test_export_prints_every_event_as_a_line_of_json(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await export(settings, "", None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["auth"]["accessor_id"] for line in lines] == ["ann", "bea"]
