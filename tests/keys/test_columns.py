"""Rotation forgets no column: every column of bytes is sealed, or known to hold no secret."""

from sqlalchemy import LargeBinary

from landform.kit.sealed import Sealed, sealed_columns
from landform.tables import METADATA

NO_SECRET = {
    "api_tokens.token_hash",
    "audit_chains.base_digest",
    "audit_chains.head_digest",
    "audit_chains.mac",
    "browser_sessions.secret_hash",
    "directories.token_hash",
    "events.digest",
    "login_codes.code_hash",
    "log_blocks.inline",  # the platform's own few words
    "organization_invitations.secret_hash",
    "password_attempts.key",
    "run_tokens.token_hash",
    "spent_states.state_hash",
    "vcs_authorizations.state_hash",
}


def test_every_column_of_bytes_is_sealed_or_is_known_to_hold_no_secret() -> None:
    clear = {
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and not isinstance(column.type, Sealed)
    }
    assert clear == NO_SECRET


def test_every_column_that_is_called_sealed_is() -> None:
    sealed = {each.name for each in sealed_columns(METADATA)}
    called = {
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if column.name.startswith("sealed")
    }
    assert called <= sealed
    assert {"variables.sealed_value", "runs.sealed_variables", "key_checks.sealed"} <= sealed


def test_the_place_of_a_sealed_value_is_made_of_columns_of_its_row() -> None:
    for each in sealed_columns(METADATA):
        assert set(each.kind.columns) <= set(each.table.c.keys()), each.name
        assert each.kind.columns, f"{each.name} is not bound to its row"
