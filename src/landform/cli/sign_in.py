"""`landform sign-in`: identity providers and passwords, from a terminal."""

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx2

from landform.cli.addresses import own_url
from landform.cli.arguments import read_settings
from landform.cli.home import find_running
from landform.cli.vcs import RefusedError, explain
from landform.kit.errors import InvalidError, NotFoundError, UnavailableError

_TYPE: Final = "application/vnd.api+json"
_TIMEOUT_S: Final = 60.0
_PROBLEM: Final = 300
_SECRET_VARIABLE: Final = "LANDFORM_SIGN_IN_SECRET"  # noqa: S105 - its name


class SignInApi:
    """The routes of sign-in."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v2/admin"
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {token}", "Content-Type": _TYPE},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    @classmethod
    def of(cls, address: str | None, home: Path | None) -> "SignInApi":
        """Return those of the server at `address`, or of the platform that runs here.

        Raises:
            InvalidError: there is no token.
        """
        token = os.environ.get("LANDFORM_TOKEN", "").strip()
        if not token:
            raise InvalidError(
                "Set LANDFORM_TOKEN to a site admin's API token; `landform token create --user"
                " NAME` makes one on the platform's machine."
            )
        if address is None:
            settings = read_settings(home=home)
            running = find_running(settings.home)
            address = running.url if running else own_url(settings)
        return cls(address, token)

    def list(self) -> list[dict[str, Any]]:
        """Return all providers."""
        found: list[dict[str, Any]] = self._ask("GET", "/identity-providers?page[size]=100")["data"]
        return found

    def find(self, name: str) -> dict[str, Any]:
        """Return the provider of this id or name.

        Raises:
            NotFoundError: there is none.
        """
        for each in self.list():
            if name in (each["id"], each["attributes"]["name"]):
                return each
        raise NotFoundError(
            f"There is no identity provider {name!r}; `landform sign-in list` shows them."
        )

    def create(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Make a provider."""
        sent = {name: value for name, value in attributes.items() if value is not None}
        made: dict[str, Any] = self._ask("POST", "/identity-providers", _body(sent))["data"]
        return made

    def update(self, provider_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a provider."""
        path = f"/identity-providers/{provider_id}"
        changed: dict[str, Any] = self._ask("PATCH", path, _body(attributes))["data"]
        return changed

    def delete(self, provider_id: str) -> None:
        """Remove a provider."""
        self._ask("DELETE", f"/identity-providers/{provider_id}")

    def policy(self) -> dict[str, Any]:
        """Return the attributes of the policy."""
        found: dict[str, Any] = self._ask("GET", "/sign-in-policy")["data"]["attributes"]
        return found

    def set_policy(self, *, is_on: bool, break_glass: str) -> None:
        """Let everybody sign in by password, or nobody but one."""
        sent = {"local-sign-in": is_on, "break-glass": break_glass}
        self._ask("PATCH", "/sign-in-policy", _body(sent, "sign-in-policies"))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = self._client.request(method, self._url + path, json=body)
        except httpx2.HTTPError as failure:
            raise UnavailableError(
                f"{self._url.partition('/api/')[0]} does not answer: {failure}"
            ) from None
        if answer.status_code >= _PROBLEM:
            raise RefusedError(explain(answer))
        return answer.json() if answer.content else None


def read_secret(file: Path | None) -> str:
    """Read a secret from a file (`-`: standard input), the environment, or who is typing.

    Never from an argument, which every process of the machine can read.

    Raises:
        InvalidError: there is none.
    """
    if file is not None:
        return read_file(file).strip()
    if given := os.environ.get(_SECRET_VARIABLE, "").strip():
        return given
    if sys.stdin.isatty():
        return getpass.getpass("Client secret: ").strip()
    raise InvalidError(
        f"Give the secret in {_SECRET_VARIABLE}, or name a file: --secret-file PATH (- is standard"
        " input)."
    )


def read_file(file: Path) -> str:
    """Return what is in a file (`-`: standard input)."""
    return sys.stdin.read() if str(file) == "-" else file.read_text()


def overview(rows: list[dict[str, Any]], policy: Mapping[str, Any]) -> str:
    """Return the providers and the policy as lines for people."""
    lines = [("ID", "NAME", "KIND", "ON", "ISSUER")]
    for row in rows:
        shown = row["attributes"]
        is_on = "yes" if shown["enabled"] else "no"
        lines.append((row["id"], shown["name"], shown["kind"], is_on, shown["issuer"]))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    for_all = "for everybody" if policy["local-sign-in"] else "off, but for the break-glass admin"
    return "\n".join([*table, "", f"Passwords: {for_all}"])


def describe(row: Mapping[str, Any]) -> str:
    """Return one provider, but for its certificates; of its secret there is nothing to show."""
    lines = [f"{'id':<18}{row['id']}"]
    for name, value in row["attributes"].items():
        if name == "certificates":
            continue
        shown = ", ".join(value) if isinstance(value, list) else _yes(value)
        if shown:
            lines.append(f"{name:<18}{shown}")
    return "\n".join(lines)


def next_steps(row: Mapping[str, Any]) -> str:
    """Return what to do after a provider was made."""
    shown: dict[str, Any] = row["attributes"]
    made = f"Made the identity provider {row['id']} ({shown['name']})."
    if shown["kind"] == "saml":
        return "\n".join(
            [
                made,
                "",
                "Register these with the application there:",
                f"   ACS (reply) URL   {shown['callback-url']}",
                f"   Entity id         {shown['entity-id']}",
                f"   or metadata from  {shown['own-metadata-url']}",
                *_then(row),
            ]
        )
    return "\n".join(
        [
            made,
            "",
            "Register this redirect (callback) URL with the application there:",
            f"   {shown['callback-url']}",
        ]
    )


def _then(row: Mapping[str, Any]) -> list[str]:
    if row["attributes"]["enabled"]:
        return []
    how = f"landform sign-in update {row['id']} --enabled --metadata-file PATH"
    return ["", "It is off until it has the provider's metadata:", f"   {how}"]


def _body(attributes: Mapping[str, Any], kind: str = "identity-providers") -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": dict(attributes)}}


def _yes(value: Any) -> str:
    return {True: "yes", False: "no", None: ""}.get(value, str(value))
