"""`landform vcs`: connections to places that keep repositories, from a terminal."""

import builtins
import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2

from landform.kit.errors import InvalidError, LandformError, NotFoundError, UnavailableError

_TYPE: Final = "application/vnd.api+json"
_TIMEOUT_S: Final = 60.0
_PROBLEM: Final = 300
_NOT_FOUND: Final = 404
_SECRET_VARIABLE: Final = "LANDFORM_VCS_SECRET"  # noqa: S105 - its name


class RefusedError(LandformError):
    """The server said no; the text is its own."""


class VcsApi:
    """The routes of connections of one organization."""

    def __init__(self, url: str, token: str, organization: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/organization/{quote(organization, safe='')}/vcs"
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {token}", "Content-Type": _TYPE},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    def list(self) -> list[dict[str, Any]]:
        """Return all connections."""
        found: list[dict[str, Any]] = self._ask("GET", "?page[size]=500")["data"]
        return found

    def find(self, name: str) -> dict[str, Any]:
        """Return the connection of this id or name.

        Raises:
            NotFoundError: there is none, or there are several of this name.
        """
        found = [each for each in self.list() if name in (each["id"], each["attributes"]["name"])]
        if len(found) != 1:
            why = "There is no" if not found else "There is more than one"
            raise NotFoundError(f"{why} VCS connection {name!r}; `landform vcs list` shows them.")
        return found[0]

    def create(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Make a connection."""
        body = {"data": {"type": "vcs", "attributes": dict(attributes)}}
        made: dict[str, Any] = self._ask("POST", "", body)["data"]
        return made

    def connect(self, vcs_id: str) -> dict[str, str]:
        """Return where to sign in."""
        way: dict[str, str] = self._ask("POST", f"/{vcs_id}/connect")
        return way

    def test(self, vcs_id: str) -> dict[str, Any]:
        """Have the server ask the provider."""
        found: dict[str, Any] = self._ask("POST", f"/{vcs_id}/test")["data"]
        return found

    def host_keys(self, vcs_id: str) -> builtins.list[dict[str, str]]:
        """Have the server ask a git server which SSH keys it has."""
        found: list[dict[str, str]] = self._ask("POST", f"/{vcs_id}/host-keys")["hostKeys"]
        return found

    def replace_hook_secrets(self, vcs_id: str) -> int:
        """Have the secrets of the connection's hooks replaced; return of how many."""
        count: int = self._ask("POST", f"/{vcs_id}/hook-secrets")["hooks"]
        return count

    def change(self, vcs_id: str, attributes: Mapping[str, Any]) -> None:
        """Change settings of a connection."""
        body = {"data": {"type": "vcs", "id": vcs_id, "attributes": dict(attributes)}}
        self._ask("PATCH", f"/{vcs_id}", body)

    def delete(self, vcs_id: str) -> None:
        """Remove a connection."""
        self._ask("DELETE", f"/{vcs_id}")

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
    """
    if file is not None:
        return (sys.stdin.read() if str(file) == "-" else file.read_text()).strip()
    if given := os.environ.get(_SECRET_VARIABLE, "").strip():
        return given
    if sys.stdin.isatty():
        return getpass.getpass("Client secret or token: ").strip()
    raise InvalidError(
        f"Give the secret in {_SECRET_VARIABLE}, or name a file: --secret-file PATH (- is standard"
        " input)."
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Return connections as lines for people."""
    lines = [("ID", "NAME", "TYPE", "SIGN-IN", "STATUS")]
    for row in rows:
        shown = row["attributes"]
        lines.append((row["id"], shown["name"], shown["vcsType"], shown["signIn"], shown["status"]))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    warnings = [
        f"{row['attributes']['name']}: {said}"
        for row in rows
        if (said := row["attributes"].get("warning"))
    ]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ) + "".join(f"\n{line}" for line in (["", *warnings] if warnings else []))


def describe(row: Mapping[str, Any]) -> str:
    """Return one connection in full; of its secrets there is nothing to show."""
    shown: dict[str, Any] = row["attributes"]
    lines = [f"{'id':<18}{row['id']}"]
    for name, value in shown.items():
        if value in ("", None) or isinstance(value, dict):
            continue
        lines.append(f"{name:<18}{value}")
    may: dict[str, Any] = shown.get("capabilities") or {}
    known = ("identity", "listing", "hooks", "statuses", "comments")
    lines += [f"{name:<18}{_yes(may[name])}" for name in known if may.get(name) is not None]
    lines += [f"{'lacks ' + name:<18}{why}" for name, why in (may.get("lacking") or {}).items()]
    return "\n".join(lines)


def next_steps(row: Mapping[str, Any]) -> str:
    """Return what to do after a connection was made."""
    shown: dict[str, Any] = row["attributes"]
    interactive = shown["signIn"] in ("oauth", "entra-oauth")
    lacks_app = shown["signIn"] == "github-app" and not shown["clientId"]
    lines = [f"Made the VCS connection {row['id']} ({shown['name']})."]
    if shown["signIn"] == "ssh-key":
        lines += _ssh_steps(row)
    elif lacks_app:
        lines += ["", f"Register its app at GitHub: landform vcs connect {row['id']}"]
    elif interactive:
        lines += [
            "",
            "1. Register this callback (redirect) URL with the application at the provider:",
            f"   {shown['callbackUrl']}",
            "2. Sign in:",
            f"   landform vcs connect {row['id']}",
        ]
    else:
        lines += ["", f"Check that it works: landform vcs test {row['id']}"]
    if shown["signIn"] == "service-principal-federated":
        issuer = shown["callbackUrl"].partition("/callback/")[0]
        lines += [
            "",
            "Give the application a federated credential (other issuer) first:",
            f"   issuer    {issuer}",
            f"   subject   {shown['federatedSubject']}",
            "   audience  api://AzureADTokenExchange",
        ]
    return "\n".join(lines)


def host_keys(keys: Sequence[Mapping[str, str]]) -> str:
    """Return the keys of a server as lines to compare."""
    return "\n".join(f"{each['fingerprint']}  {each['type']}" for each in keys)


def chosen_keys(
    keys: Sequence[Mapping[str, str]], fingerprints: Sequence[str]
) -> Sequence[Mapping[str, str]]:
    """Return the keys of these fingerprints.

    Raises:
        InvalidError: the server has none of that fingerprint.
    """
    for wanted in fingerprints:
        if wanted not in [each["fingerprint"] for each in keys]:
            raise InvalidError(f"The server shows no key {wanted}; it shows\n{host_keys(keys)}")
    return [each for each in keys if each["fingerprint"] in fingerprints]


def _ssh_steps(row: Mapping[str, Any]) -> list[str]:
    shown: dict[str, Any] = row["attributes"]
    lines = [
        "",
        "1. Add this key to the git server, as one that may read:",
        f"   {shown['sshPublicKey']}",
    ]
    if not shown["knownHosts"]:
        lines += ["2. Pin the server's own keys:", f"   landform vcs host-keys {row['id']}"]
    return [
        *lines,
        f"{len(lines) // 2 + 1}. Check that it works:",
        f"   landform vcs test {row['id']}",
    ]


def ways(row: Mapping[str, Any], way: Mapping[str, str]) -> str:
    """Return where to go to sign in, or to register and to install an app."""
    if row["attributes"]["signIn"] == "github-app":
        done = "install the app" if row["attributes"]["clientId"] else "register and install it"
        return (
            f"Open this in a browser in which you are signed in to Landform ({row['id']}), and"
            f" {done} at GitHub:\n\n   {way['url']}\n\n"
            "It works once, for an hour, and ends in a page that says Connected."
        )
    return "\n".join(
        [
            f"Open this in a browser in which you are signed in to Landform ({row['id']}):",
            "",
            f"   {way['url']}",
            "",
            "It works once, for ten minutes, and ends in a page that says Connected. The callback",
            f"URL registered at the provider must be {way['callbackUrl']}",
        ]
    )


def _yes(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value))


def explain(answer: httpx2.Response) -> str:
    """Return what a refusal says."""
    try:
        errors = answer.json()["errors"]
        said = " ".join(str(each.get("detail") or each.get("title")) for each in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        said = f"The server answers {answer.status_code}."
    if answer.status_code == _NOT_FOUND:
        said += " Check the organization's name and the token."
    return said
