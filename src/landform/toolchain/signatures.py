"""Whose word is taken for a release: OpenPGP keys, and the check of a signature against them."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Final

from pysequoia import Cert, Sig, verify

from landform.kit.errors import InvalidError
from landform.toolchain.versions import Tool

# Fingerprints as the publishers state them: hashicorp.com/security and the mirror specification
# of opentofu/tofudl. A shipped file whose keys are others is not used.
PUBLISHERS: Final[Mapping[Tool, tuple[str, str]]] = {
    Tool.TERRAFORM: ("hashicorp.asc", "c874011f0ab405110d02105534365d9472d7468f"),
    Tool.TOFU: ("opentofu.asc", "e3e6e43d84cb852eadb0051d0c0af313e5fd9f80"),
}


class UntrustedError(InvalidError):
    """A download is not what its publisher signed; nothing of it was kept."""


class Keys:
    """The keys trusted for one tool."""

    def __init__(self, certificates: Iterable[Cert]) -> None:
        """Merge what belongs to one key.

        OpenPGP asks whether a key was valid when the signature was made, and only the
        self-signature of that time can tell. HashiCorp renewed its key in 2026 and publishes it
        without the older self-signature, so the file holds both and both are needed.
        """
        self._by_fingerprint: dict[str, Cert] = {}
        for certificate in certificates:
            known = self._by_fingerprint.get(certificate.fingerprint)
            merged = known.merge(certificate) if known else certificate
            self._by_fingerprint[certificate.fingerprint] = merged

    @property
    def fingerprints(self) -> list[str]:
        """Of the primary keys, in lower-case hexadecimal."""
        return list(self._by_fingerprint)

    @staticmethod
    def issuer(signature: bytes) -> str:
        """Name who claims to have signed, for a message; not verified."""
        try:
            read = Sig.from_bytes(signature)
        except (RuntimeError, ValueError):
            return "no OpenPGP signature"
        return f"by {read.issuer_fingerprint or read.issuer_key_id or 'an unnamed key'}"

    def check(self, data: bytes, signature: bytes) -> str | None:
        """Find the fingerprint of the trusted key that signed `data`, or None.

        Args:
            signature: detached, binary or armored; anything else is no signature.
        """
        trusted = list(self._by_fingerprint.values())
        try:
            read = Sig.from_bytes(signature)
            verified = verify(bytes=data, store=lambda _ids: trusted, signature=read)
        except (RuntimeError, ValueError):  # all that pysequoia raises; its text is a stack trace
            return None
        certificates = [valid.certificate for valid in verified.valid_sigs]
        return next((name for name in certificates if name in self._by_fingerprint), None)


def read_keys(armored: bytes) -> Keys:
    """Read every public key in `armored`.

    Raises:
        InvalidError: there is none, or it is not OpenPGP.
    """
    try:
        certificates = Cert.split_bytes(armored)
    except (RuntimeError, ValueError) as failure:
        raise InvalidError("The trusted keys are not OpenPGP public keys.") from failure
    if not certificates:
        raise InvalidError("The file of trusted keys holds no OpenPGP public key.")
    return Keys(certificates)


def shipped_keys(tool: Tool) -> Keys:
    """Read the publisher's own key.

    Raises:
        UntrustedError: the shipped file was altered.
    """
    name, fingerprint = PUBLISHERS[tool]
    keys = read_keys(files("landform.toolchain").joinpath("keys", name).read_bytes())
    if keys.fingerprints != [fingerprint]:
        raise UntrustedError(
            f"The key file {name} holds {', '.join(keys.fingerprints)}; "
            f"{tool.product} is signed with {fingerprint}."
        )
    return keys
