"""Against real releases: the lists of checksums of Terraform 1.9.8 and OpenTofu 1.8.5."""

from pathlib import Path

import pytest
from pysequoia import Cert

from landform.kit.errors import InvalidError
from landform.toolchain.signatures import PUBLISHERS, Keys, read_keys, shipped_keys
from landform.toolchain.versions import Tool
from tests.toolchain.published import Signer

SIGNED = Path(__file__).with_name("signed")
REAL = [
    (Tool.TERRAFORM, "terraform_1.9.8_SHA256SUMS", ".sig"),
    (Tool.TOFU, "tofu_1.8.5_SHA256SUMS", ".gpgsig"),
]


def test_the_shipped_keys_are_the_publishers() -> None:
    assert shipped_keys(Tool.TERRAFORM).fingerprints == ["c874011f0ab405110d02105534365d9472d7468f"]
    assert shipped_keys(Tool.TOFU).fingerprints == ["e3e6e43d84cb852eadb0051d0c0af313e5fd9f80"]


@pytest.mark.parametrize(("tool", "name", "ending"), REAL)
def test_a_real_release_is_signed_by_the_shipped_key(tool: Tool, name: str, ending: str) -> None:
    sums = (SIGNED / name).read_bytes()
    signature = (SIGNED / (name + ending)).read_bytes()
    assert shipped_keys(tool).check(sums, signature) == PUBLISHERS[tool][1]


@pytest.mark.parametrize(("tool", "name", "ending"), REAL)
def test_one_altered_byte_is_not_signed(tool: Tool, name: str, ending: str) -> None:
    sums = (SIGNED / name).read_bytes()
    signature = (SIGNED / (name + ending)).read_bytes()
    keys = shipped_keys(tool)
    assert keys.check(sums.replace(b"0", b"1", 1), signature) is None
    assert keys.check(sums + b"\n", signature) is None
    assert keys.check(sums, signature[:-1] + bytes([signature[-1] ^ 1])) is None


def test_neither_publisher_may_sign_for_the_other() -> None:
    tool, name, ending = REAL[0]
    sums, signature = (SIGNED / name).read_bytes(), (SIGNED / (name + ending)).read_bytes()
    assert shipped_keys(tool).check(sums, signature)
    assert shipped_keys(Tool.TOFU).check(sums, signature) is None


def test_the_hashicorp_file_holds_both_ages_of_the_key() -> None:
    """The renewed key alone does not verify what was signed before its renewal."""
    file = Path(__file__).parents[2] / "src/landform/toolchain/keys/hashicorp.asc"
    older, renewed = Cert.split_file(str(file))
    assert older.expiration
    assert renewed.expiration
    assert (older.expiration.year, renewed.expiration.year) == (2026, 2030)
    _, name, ending = REAL[0]
    sums, signature = (SIGNED / name).read_bytes(), (SIGNED / (name + ending)).read_bytes()
    assert Keys([renewed]).check(sums, signature) is None
    assert Keys([renewed, older]).check(sums, signature)


def test_keys_of_ones_own_are_read_and_checked() -> None:
    mine, other = Signer(), Signer()
    keys = read_keys(mine.public + other.public)
    assert keys.fingerprints == [mine.fingerprint, other.fingerprint]
    assert keys.check(b"data", other.sign(b"data")) == other.fingerprint
    assert read_keys(mine.public).check(b"data", other.sign(b"data")) is None


@pytest.mark.parametrize("signature", [b"", b"junk", b"-----BEGIN PGP SIGNATURE-----"])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    keys = read_keys(Signer().public)
    assert keys.check(b"data", signature) is None
    assert keys.issuer(signature) == "no OpenPGP signature"


@pytest.mark.parametrize(
    "armored", [b"", b"junk", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"]
)
def test_what_is_no_key_is_refused(armored: bytes) -> None:
    with pytest.raises(InvalidError, match="keys"):
        read_keys(armored)
