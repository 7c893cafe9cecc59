"""What token endpoints say, in each of the ways they say it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from landform.kit import clock
from landform.kit.egress import Answer
from landform.vcs import oauth
from landform.vcs.errors import ProviderRefusedError


def answer(document: dict[str, Any], status: int = 200) -> Answer:
    body = msgspec.json.encode(document)
    return Answer(status=status, headers={}, body=body, url="https://provider.test/token")


@pytest.mark.parametrize("said", ["3599", 3599, 3599.0])
def test_an_expiry_is_read_as_a_number_or_as_text(said: object) -> None:
    document = {"access_token": "a", "token_type": "jwt-bearer", "expires_in": said}
    token = oauth.read_token(answer(document), provider="Azure DevOps")
    assert token.expires_at is not None
    assert abs(token.expires_at - clock.now() - timedelta(seconds=3599)) < timedelta(seconds=30)


@pytest.mark.parametrize("said", [None, "", "soon", 0, -1, 10**12, [1]])
def test_an_expiry_that_is_none_is_unknown(said: object) -> None:
    document = {"access_token": "a", "expires_in": said}
    assert oauth.read_token(answer(document), provider="Azure DevOps").expires_at is None


@pytest.mark.parametrize("error", ["error", "Error"])
def test_an_error_is_one_in_either_case_and_with_any_status(error: str) -> None:
    document = {error: "invalid_client", "ErrorDescription": "no", "access_token": "a"}
    with pytest.raises(ProviderRefusedError, match="says: no"):
        oauth.read_token(answer(document), provider="Azure DevOps")
