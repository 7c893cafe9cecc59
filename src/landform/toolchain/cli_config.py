"""What the terraform and tofu command lines are told of a platform, in their own configuration.

A `host` block tells a CLI where a host's services are, so that it does not ask the host itself:
that it would do by https only. With it a platform without TLS can be used, under any name
(terraform_facts.md §1.1, measured; relative addresses are not accepted).
"""

import json
from collections.abc import Mapping
from typing import Any


def services(url: str) -> dict[str, Any]:
    """Return the services of a platform as its discovery document names them: all there are.

    Args:
        url: of the platform, without a trailing slash.
    """
    api = f"{url}/api/v2/"
    return {
        "tfe.v2": api,
        "tfe.v2.1": api,
        "tfe.v2.2": api,
        "state.v2": api,
        "login.v1": {
            "client": "terraform-cli",
            "grant_types": ["authz_code"],
            "authz": f"{url}/oauth/authorize",
            "token": f"{url}/oauth/token",
            "ports": [10000, 10010],
        },
    }


def blocks(hostname: str, url: str, token: str = "") -> str:
    """Return the blocks of a CLI's configuration that make a platform known to it.

    Args:
        hostname: what configurations call the platform.
        url: of the platform, without a trailing slash.
        token: empty for none.
    """
    host = _hcl(hostname)
    lines = [f"host {host} {{", f"  services = {_hcl(services(url), 1)}", "}"]
    if token:
        lines += ["", f"credentials {host} {{", f"  token = {_hcl(token)}", "}"]
    return "\n".join([*lines, ""])


def _hcl(value: Any, depth: int = 0) -> str:
    """Write a value as HCL; nothing that we write holds an interpolation."""
    if not isinstance(value, Mapping):
        return json.dumps(value)
    indent = "  " * depth
    rows = [f"{indent}  {_hcl(key)} = {_hcl(item, depth + 1)}" for key, item in value.items()]
    return "\n".join(["{", *rows, f"{indent}}}"])
