from pathlib import Path

import pytest
from pydantic import SecretStr

from landform.cli.database import database_of, require_current_schema
from landform.kit.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from landform.settings import Settings


def settings(url: str) -> Settings:
    return Settings(database_url=SecretStr(url))


async def test_without_a_database_the_missing_setting_is_named() -> None:
    with pytest.raises(InvalidError, match="set LANDFORM_DATABASE_URL to postgresql://"):
        await require_current_schema(settings(""))


async def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    nowhere = "postgresql://landform:s3cret-pw@127.0.0.1:1/landform"
    with pytest.raises(UnavailableError, match=r"does not answer: .*port 1") as failed:
        await require_current_schema(settings(nowhere))
    assert "s3cret-pw" not in str(failed.value)


async def test_a_database_that_was_not_migrated_is_refused(database_url: str) -> None:
    with pytest.raises(ConflictError, match="run `landform db migrate`"):
        await require_current_schema(settings(database_url))


async def test_a_home_where_nothing_was_started_has_no_database(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Start one with `landform up`"):
        async with database_of(Settings(home=tmp_path)):
            pass
    assert not any(tmp_path.iterdir())
