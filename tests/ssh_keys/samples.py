"""Private keys in the forms that people have them."""

import base64
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key


def make_key(*words: str) -> str:
    """Return a private key that `ssh-keygen` makes with these arguments."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "key")
        command = ["ssh-keygen", "-q", "-N", "", "-f", str(file), *words]
        subprocess.run(command, check=True)
        return file.read_text()


def public_half_of(private: str) -> str:
    """Return what `ssh-keygen -y` says of a key: its type and text."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "key")
        file.touch(0o600)
        file.write_text(private)
        command = ["ssh-keygen", "-y", "-f", str(file)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return " ".join(said.split()[:2])


def betrays(text: str, private: str) -> bool:
    """Tell whether the secret part of a key is in a text, in whatever lines of base64."""
    key = load_ssh_private_key(private.encode(), password=None)
    if isinstance(key, Ed25519PrivateKey):
        secret = key.private_bytes_raw()
    else:
        assert isinstance(key, RSAPrivateKey)
        secret = key.private_numbers().d.to_bytes(key.key_size // 8)[:64]
    seen = re.sub(r"\\n|\s", "", text)
    ways = (base64.b64encode(secret[skipped:][:30]).decode() for skipped in range(3))
    return any(way in seen for way in ways) or secret.hex() in seen


ED25519: Final = ("-t", "ed25519")
RSA: Final = ("-t", "rsa", "-b", "2048")
PEM: Final = (*RSA, "-m", "PEM")
SMALL: Final = ("-t", "rsa", "-b", "1024")
ECDSA: Final = ("-t", "ecdsa")
CLOSED: Final = ("-t", "ed25519", "-N", "a word")
