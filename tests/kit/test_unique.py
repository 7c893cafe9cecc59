import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.models import ApiToken, User
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.text import check_text
from landform.kit.unique import unique
from tests.factories import make_user

NAME = "uq_users_lower_username"
TAKEN = ConflictError("taken")


async def test_a_row_that_is_not_the_only_one_is_refused_and_the_transaction_goes_on(
    session: AsyncSession,
) -> None:
    await make_user(session, "alice")
    with pytest.raises(ConflictError, match="taken"):
        async with unique(session, NAME, TAKEN):
            session.add(User(username="ALICE"))
    async with unique(session, NAME, TAKEN):
        session.add(User(username="bob"))
    assert await session.scalar(text("SELECT count(*) FROM users")) == 2


async def test_a_row_that_was_not_changed_is_as_it_was_and_readable(
    session: AsyncSession,
) -> None:
    await make_user(session, "alice")
    bob = await make_user(session, "bob")
    with pytest.raises(ConflictError):
        async with unique(session, NAME, TAKEN):
            bob.username = "Alice"
    assert bob.username == "bob"


async def test_another_constraint_is_another_failure(session: AsyncSession) -> None:
    with pytest.raises(IntegrityError, match="one_owner"):
        async with unique(session, NAME, TAKEN):
            session.add(ApiToken(kind="user", token_hash=b"x", created_by="y"))


@pytest.mark.parametrize("text", ["x" * 11, "a\0b", "\ud800"])
def test_text_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_text(text, what="The name", limit=10, pointer="name")
    assert refused.value.pointer == "name"


def test_text_that_can_be_kept_is_returned() -> None:
    assert check_text("größe ✓🎉", what="The name", limit=10, pointer="name") == "größe ✓🎉"
