"""How git is told to use ssh: one key, pinned servers, and nothing of anybody's settings."""

import os
import shlex
from collections.abc import Mapping
from typing import Final

_OPTIONS: Final[Mapping[str, str]] = {
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": os.devnull,
    "ConnectTimeout": "20",
    "ForwardAgent": "no",
    "PermitLocalCommand": "no",
}


def ssh_command(key_file: str, known_hosts_file: str, **more: str) -> str:
    """Return what `GIT_SSH_COMMAND` is to be.

    Args:
        more: options of ssh_config(5) beside those that always hold.
    """
    options = {**_OPTIONS, "UserKnownHostsFile": known_hosts_file, **more}
    words = ["ssh", "-F", os.devnull, "-i", key_file]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return shlex.join(words)
