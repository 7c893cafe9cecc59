"""An attempt's short-lived credentials: put where the child finds them, and given back after it."""

import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import structlog

from landform.contract import CREDENTIAL_FILES, Credentials, VaultLogin
from landform.execution.host import Host, Room
from landform.kit.egress import Answer, Bounds, Outbound
from landform.kit.errors import InvalidError, LandformError, UnavailableError

log = structlog.get_logger()

_AUTHORITY_FILE: Final = "workload-vault-ca.pem"
_BOUNDS: Final = Bounds(total_s=15.0, connect_s=5.0, body_bytes=1 << 20)


class Purse:
    """What one attempt was given, while it lasts.

    Attributes:
        environment: of the child.
        terraform: HCL by the name of a variable.
        secrets: what may not be shown.
    """

    def __init__(self, credentials: Credentials, host: Host) -> None:
        self._credentials = credentials
        self._host = host
        self._vault_token = ""
        self.environment: Mapping[str, str] = {}
        self.terraform: Mapping[str, str] = {}

    @property
    def secrets(self) -> list[str]:
        """Everything that may not be shown."""
        return [*self._credentials.secrets, *filter(None, [self._vault_token])]

    async def open(self, room: Room) -> None:
        """Write the files and sign in where that is the runner's to do.

        Raises:
            InvalidError: Vault refuses, or a variable's value could not be the same in the apply.
            UnavailableError: Vault does not answer.
        """
        given = self._credentials
        if given.terraform and not self._host.sandbox.confines:
            raise InvalidError(
                "Dynamic credentials with tags need a sandbox: the paths in"
                f" {', '.join(given.terraform)} have to be the same in plan and apply. Install"
                " bubblewrap for the worker, or use credentials without a tag."
            )
        for name, text in given.files.items():
            room.give(name, text.replace(CREDENTIAL_FILES, room.inside(room.given)))
        environment = dict(given.environment)
        if given.vault is not None:
            environment |= await self._sign_in(given.vault, room)
        at = room.inside(room.given)
        self.environment = {
            name: value.replace(CREDENTIAL_FILES, at) for name, value in environment.items()
        }
        self.terraform = {
            name: value.replace(CREDENTIAL_FILES, at) for name, value in given.terraform.items()
        }

    async def close(self) -> None:
        """Give Vault's token back; what else there is ends by itself."""
        login, token = self._credentials.vault, self._vault_token
        if login is None or not token:
            return
        self._vault_token = ""
        try:
            answer = await self._ask(login, "auth/token/revoke-self", token=token)
        except LandformError as failure:
            log.warning("A Vault token was not given back", error=str(failure))
        else:
            if answer.status >= 300:  # noqa: PLR2004 - anything that is not done
                log.warning("A Vault token was not given back", status=answer.status)

    async def _sign_in(self, login: VaultLogin, room: Room) -> dict[str, str]:
        """Return the environment of one who is signed in (Vault's API, `auth/jwt/login`)."""
        answer = await self._ask(
            login,
            f"auth/{quote(login.mount)}/login",
            json={"role": login.role, "jwt": login.jwt},
        )
        self._vault_token = _token_of(answer, login)
        environment = {"VAULT_ADDR": login.address, "VAULT_TOKEN": self._vault_token}
        if login.namespace:
            environment["VAULT_NAMESPACE"] = login.namespace
        if login.authority:
            authority = room.give(_AUTHORITY_FILE, login.authority)
            environment["VAULT_CACERT"] = room.inside(authority)
        return environment

    async def _ask(
        self, login: VaultLogin, path: str, *, token: str = "", json: object = None
    ) -> Answer:
        headers = {"X-Vault-Request": "true"}
        headers |= {"X-Vault-Namespace": login.namespace} if login.namespace else {}
        headers |= {"X-Vault-Token": token} if token else {}
        trust = _trust(login.authority) if login.authority else None
        async with Outbound(self._host.egress, bounds=_BOUNDS, verify=trust) as outbound:
            return await outbound.request(
                "POST", f"{login.address}/v1/{path}", headers=headers, json=json
            )


def _token_of(answer: Answer, login: VaultLogin) -> str:
    where = f"{login.address} (auth/{login.mount}, role {login.role})"
    if answer.status >= 500:  # noqa: PLR2004 - Vault sealed, or worse
        raise UnavailableError(f"Vault at {where} answered {answer.status}. Run again later.")
    document = answer.json()
    found = document.get("auth") if isinstance(document, dict) else None
    token = found.get("client_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        errors = document.get("errors") if isinstance(document, dict) else None
        said = "; ".join(map(str, errors))[:500] if isinstance(errors, list) else ""
        raise InvalidError(
            f"Vault at {where} did not let the run in: {said or f'status {answer.status}'}. Check"
            " the role's bound audience and claims, and that Vault reaches the platform's"
            " /.well-known/openid-configuration."
        )
    return token


def _trust(authority: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authority)
    except ssl.SSLError:
        raise InvalidError("TFC_VAULT_ENCODED_CACERT holds no certificate.") from None
