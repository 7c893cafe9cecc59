"""Encryption at rest."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.kit.crypto import (
    KEY_BYTES,
    Keyring,
    MissingKeyError,
    SealError,
    create_key_file,
    new_key,
    parse_key,
    parse_keys,
    replace_key_file,
    used_key_id,
)

RING = Keyring(b"a" * KEY_BYTES)


@given(st.binary(max_size=2000))
def test_what_was_sealed_opens_at_its_place_and_nowhere_else(plaintext: bytes) -> None:
    sealed = RING.seal(plaintext, place="variables/var-1")
    assert RING.open(sealed, place="variables/var-1") == plaintext
    with pytest.raises(SealError):
        RING.open(sealed, place="variables/var-2")


@given(st.binary(min_size=20, max_size=60), st.data())
def test_one_altered_byte_anywhere_is_noticed(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(plaintext, place="p"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        RING.open(bytes(sealed), place="p")


@given(st.binary(max_size=40))
def test_what_was_never_sealed_does_not_open(junk: bytes) -> None:
    with pytest.raises(SealError):
        RING.open(junk, place="p")


def test_the_clear_text_is_not_in_what_is_sealed_and_no_two_are_alike() -> None:
    once, twice = (RING.seal(b"a very secret value", place="p") for _ in range(2))
    assert b"secret" not in once
    assert once != twice


def test_an_older_key_still_opens_and_the_current_one_seals() -> None:
    rotated = Keyring(b"b" * KEY_BYTES, older=(RING.current,))
    assert rotated.open(RING.seal(b"old", place="p"), place="p") == b"old"
    with pytest.raises(SealError):
        RING.open(rotated.seal(b"new", place="p"), place="p")


def test_a_key_says_nothing_when_it_is_printed() -> None:
    assert "aaaa" not in repr(RING)
    assert RING.current.hex() not in repr(RING)


def test_a_key_file_is_its_owner_s_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "encryption.key"
    key = create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parse_key(path.read_text()) == key
    with pytest.raises(FileExistsError):
        create_key_file(path)


@pytest.mark.parametrize("text", ["", "abc", "zz" * KEY_BYTES, "ab" * (KEY_BYTES - 1)])
def test_a_key_that_is_none_is_refused_with_what_one_is(text: str) -> None:
    with pytest.raises(MissingKeyError, match="64 hexadecimal digits"):
        parse_key(text)


def test_keys_for_different_purposes_differ_and_are_stable() -> None:
    assert RING.derive("signed-urls") == RING.derive("signed-urls")
    assert RING.derive("signed-urls") != RING.derive("forms")


def test_a_sealed_value_says_which_key_it_needs() -> None:
    assert used_key_id(RING.seal(b"x", place="p")) == RING.ids[0]
    assert used_key_id(b"") == used_key_id(b"LF1abc") == used_key_id(b"something else") == ""


def test_several_keys_are_read_in_order_and_no_error_repeats_one() -> None:
    first, second = (new_key() for _ in range(2))
    text = f"{first.hex()}\n{second.hex()},{first.hex()}\n"
    assert parse_keys(text) == (first, second)
    with pytest.raises(MissingKeyError) as refusal:
        parse_keys(f"{first.hex()} {second.hex()}0")
    assert first.hex() not in str(refusal.value)
    assert second.hex() not in str(refusal.value)


def test_a_ring_reads_its_keys_anew_and_keeps_them_when_it_cannot() -> None:
    keys = [b"a" * KEY_BYTES]

    def read() -> list[bytes]:
        if not keys:
            raise MissingKeyError("gone")
        return keys

    ring = Keyring(keys[0], source=read)
    old = ring.seal(b"old", place="p")
    keys.insert(0, b"b" * KEY_BYTES)
    ring.refresh()
    assert ring.open(old, place="p") == b"old"
    assert used_key_id(ring.seal(b"x", place="p")) == ring.ids[0] != used_key_id(old)
    keys.clear()
    with pytest.raises(MissingKeyError):
        ring.refresh()
    assert ring.open(old, place="p") == b"old"


def test_a_key_file_is_replaced_whole_and_stays_its_owner_s(tmp_path: Path) -> None:
    path = tmp_path / "encryption.key"
    old = create_key_file(path)
    replace_key_file(path, [b"n" * KEY_BYTES, old])
    assert parse_keys(path.read_text()) == (b"n" * KEY_BYTES, old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["encryption.key"]
