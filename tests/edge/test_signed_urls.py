"""Addresses that are their own permission."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landform.edge.signed_urls import PREFIX, Deed, UrlSigner
from landform.kit.errors import NotFoundError

SIGNER = UrlSigner(lambda: [b"k" * 32])


def parts(path: str) -> list[str]:
    return path.removeprefix(f"{PREFIX}/").split("/")


def test_an_address_opens_what_it_was_made_for() -> None:
    deed, object_id, expires, mac = parts(SIGNER.path(Deed.DOWNLOAD_STATE, "sv-1"))
    SIGNER.check(Deed(deed), object_id, expires, mac)


@given(st.sampled_from(Deed), st.sampled_from(Deed), st.sampled_from(["sv-1", "sv-2", "sv-1\n"]))
def test_an_address_opens_no_other_object_and_allows_no_other_deed(
    made: Deed, used: Deed, object_id: str
) -> None:
    _, _, expires, mac = parts(SIGNER.path(made, "sv-1"))
    if (used, object_id) == (made, "sv-1"):
        SIGNER.check(used, object_id, expires, mac)
    else:
        with pytest.raises(NotFoundError):
            SIGNER.check(used, object_id, expires, mac)


@given(st.text(max_size=20), st.text(max_size=40))
def test_a_guess_is_refused_whatever_it_looks_like(expires: str, mac: str) -> None:
    with pytest.raises(NotFoundError):
        SIGNER.check(Deed.DOWNLOAD_STATE, "sv-1", expires, mac)


def test_a_later_end_cannot_be_written_into_an_address() -> None:
    _, _, expires, mac = parts(SIGNER.path(Deed.DOWNLOAD_STATE, "sv-1"))
    later = f"{int(expires, 16) + 3600:x}"
    with pytest.raises(NotFoundError):
        SIGNER.check(Deed.DOWNLOAD_STATE, "sv-1", later, mac)


def test_an_address_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, expires, mac = parts(SIGNER.path(Deed.DOWNLOAD_STATE, "sv-1"))
    monkeypatch.setattr("time.time", lambda: int(expires, 16) + 1)
    with pytest.raises(NotFoundError):
        SIGNER.check(Deed.DOWNLOAD_STATE, "sv-1", expires, mac)


def test_another_installation_s_address_is_refused() -> None:
    _, _, expires, mac = parts(UrlSigner(lambda: [b"x" * 32]).path(Deed.DOWNLOAD_STATE, "sv-1"))
    with pytest.raises(NotFoundError):
        SIGNER.check(Deed.DOWNLOAD_STATE, "sv-1", expires, mac)


def test_an_address_of_before_a_rotation_of_keys_still_opens_and_new_ones_are_of_the_new_key() -> (
    None
):
    rotated = UrlSigner(lambda: [b"n" * 32, b"k" * 32])
    _, _, expires, mac = parts(SIGNER.path(Deed.DOWNLOAD_STATE, "sv-1"))
    rotated.check(Deed.DOWNLOAD_STATE, "sv-1", expires, mac)
    _, _, expires, mac = parts(rotated.path(Deed.DOWNLOAD_STATE, "sv-1"))
    with pytest.raises(NotFoundError):
        SIGNER.check(Deed.DOWNLOAD_STATE, "sv-1", expires, mac)
