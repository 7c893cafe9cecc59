"""The ways to a token for Azure DevOps. Facts: vcs_providers.md §1.1 to §1.4."""

import asyncio
import base64
import hashlib
import secrets
import time
from typing import Any, Final
from urllib.parse import quote, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from landform.kit.egress import Answer
from landform.kit.errors import ConflictError, InvalidError, UnavailableError
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import SignIn
from landform.vcs.oauth import federated_subject, read_token
from landform.vcs.provider import Ask, Services, Setup, Token

RESOURCE: Final = "499b84ac-1321-427f-aa17-267ca6975798"  # Azure DevOps, in every tenant
LEGACY_ENDPOINT: Final = "https://app.vssps.visualstudio.com"
LEGACY_SCOPE: Final = "vso.code vso.code_status"
AUDIENCE: Final = "api://AzureADTokenExchange"

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LEGACY_CODE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_LIFE_S: Final = 300
_IMDS_TRIES: Final = 4
_IMDS_AGAIN: Final = frozenset({404, 410, 429})
_SERVER_FAILED: Final = 500
_OK: Final = 200

# Which of Entra's numbers a person must mend by signing in, and which an administrator.
_SIGN_IN_AGAIN: Final = (70008, 70043, 700082, 50173, 50076, 50079, 65001, 50034, 50057)
_ADVICE: Final = {
    7000215: "the client secret is wrong; put the right one into the connection",
    7000222: "the client secret has expired; make a new one and put it into the connection",
    700016: "the application is not in this tenant; check client id and tenant",
    90002: "there is no such tenant",
    700213: "no federated credential matches; register the issuer and subject that are shown",
    700027: "the certificate is not the one registered for the application",
}


class AzureSignIn:
    """Fetches tokens for one connection."""

    def __init__(self, setup: Setup, services: Services) -> None:
        self._setup = setup
        self._services = services

    # ── with a person ───────────────────────────────────────────────────────────────────────────

    def authorize_url(self, ask: Ask) -> str:
        """See VcsProvider.authorize_url."""
        setup = self._setup
        query = {"client_id": setup.client_id, "redirect_uri": setup.callback_url}
        if setup.sign_in is SignIn.OAUTH:
            query |= {"response_type": "Assertion", "scope": LEGACY_SCOPE}
            base = f"{self._legacy}/oauth2/authorize"
        elif setup.sign_in is SignIn.ENTRA_OAUTH:
            query |= {"response_type": "code", "response_mode": "query", "scope": self._scope}
            base = f"{self._entra}/authorize"
            if ask.challenge:
                query |= {"code_challenge": ask.challenge, "code_challenge_method": "S256"}
        else:
            raise ConflictError("This connection signs in by itself; nobody is sent anywhere.")
        if ask.state:
            query["state"] = ask.state
        return f"{base}?{urlencode(query)}"

    async def exchange(self, code: str, *, verifier: str) -> Token:
        """See VcsProvider.exchange."""
        if self._setup.sign_in is SignIn.OAUTH:
            return await self._legacy_token(_LEGACY_CODE, code)
        form = {"grant_type": "authorization_code", "code": code, "scope": self._scope}
        form["redirect_uri"] = self._setup.callback_url
        if verifier:
            form["code_verifier"] = verifier
        return await self._entra_token(form | self._client_secret())

    # ── without ─────────────────────────────────────────────────────────────────────────────────

    async def renew(self, refresh_token: str) -> Token:
        """See VcsProvider.renew."""
        match self._setup.sign_in:
            case SignIn.OAUTH:
                return await self._legacy_token("refresh_token", refresh_token)
            case SignIn.ENTRA_OAUTH:
                form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
                form["scope"] = self._scope
                token = await self._entra_token(form | self._client_secret())
                return token if token.refresh_token else _with(token, refresh_token)
            case SignIn.MANAGED_IDENTITY:
                return await self._managed()
            case SignIn.TOKEN:
                raise SignInNeededError(
                    "Azure DevOps no longer takes the personal access token: make a new one and"
                    " put it into the connection."
                )
            case _:
                form = {"grant_type": "client_credentials", "scope": f"{RESOURCE}/.default"}
                return await self._entra_token(form | await self._client())

    @property
    def _legacy(self) -> str:
        return (self._setup.endpoint or LEGACY_ENDPOINT).rstrip("/")

    @property
    def _entra(self) -> str:
        base = (self._setup.endpoint or self._services.entra_url).rstrip("/")
        tenant = quote(self._setup.tenant or "organizations", safe="")
        return f"{base}/{tenant}/oauth2/v2.0"

    @property
    def _scope(self) -> str:
        return f"{RESOURCE}/.default offline_access"

    def _client_secret(self) -> dict[str, str]:
        found = {"client_id": self._setup.client_id}
        if self._setup.client_secret:
            found["client_secret"] = self._setup.client_secret
        return found

    async def _client(self) -> dict[str, str]:
        """Return what proves a service principal to Entra."""
        setup = self._setup
        if setup.sign_in is SignIn.SERVICE_PRINCIPAL_SECRET:
            return self._client_secret()
        if setup.sign_in is SignIn.SERVICE_PRINCIPAL_CERTIFICATE:
            assertion = sign_with_certificate(setup, audience=f"{self._entra}/token")
        else:
            assertion = await self._services.assertion(
                federated_subject(setup.organization_id, setup.connection_id), AUDIENCE
            )
        return {
            "client_id": setup.client_id,
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion,
        }

    async def _legacy_token(self, grant: str, assertion: str) -> Token:
        form = {
            "client_assertion_type": _ASSERTION,
            "client_assertion": self._setup.client_secret,
            "grant_type": grant,
            "assertion": assertion,
            "redirect_uri": self._setup.callback_url,
        }
        answer = await self._services.http.request(
            "POST", f"{self._legacy}/oauth2/token", form=form
        )
        try:
            return read_token(answer, provider="Azure DevOps")
        except ProviderRefusedError as refused:
            if grant == "refresh_token" and refused.code == "invalid_grant":
                raise SignInNeededError(
                    "Azure DevOps no longer takes the refresh token; connect again. (It dies with"
                    f" the application's secret, after 60 days.) {refused}"
                ) from None
            if refused.code == "invalid_client":
                raise ProviderRefusedError(
                    "Azure DevOps does not take the client secret, which expires after 60 days:"
                    f" make a new one, put it into the connection, and connect again. {refused}",
                    code=refused.code,
                ) from None
            raise

    async def _entra_token(self, form: dict[str, str]) -> Token:
        answer = await self._services.http.request("POST", f"{self._entra}/token", form=form)
        try:
            return read_token(answer, provider="Microsoft Entra")
        except ProviderRefusedError as refused:
            raise _of_entra(refused, answer) from None

    async def _managed(self) -> Token:
        """Ask the machine's metadata service, which restarts now and then (410) and limits."""
        params = {"api-version": "2018-02-01", "resource": RESOURCE}
        if self._setup.client_id:
            params["client_id"] = self._setup.client_id
        url = f"{self._services.imds_url}/metadata/identity/oauth2/token"
        problem = "no answer"
        for number in range(_IMDS_TRIES):
            if number:
                await asyncio.sleep(0.2 * 2**number)
            try:
                answer = await self._services.imds.request(
                    "GET", url, params=params, headers={"Metadata": "true"}
                )
            except UnavailableError as failure:
                problem = str(failure)
                continue
            if answer.status == _OK:
                return read_token(answer, provider="The managed identity service")
            problem = f"status {answer.status}"
            if answer.status not in _IMDS_AGAIN and answer.status < _SERVER_FAILED:
                raise ProviderRefusedError(
                    f"The managed identity service refuses ({problem}): is an identity assigned"
                    " to this machine, and the client id its own?"
                )
        raise ProviderAwayError(
            f"The managed identity service does not answer ({problem}). It exists only on"
            " machines of Azure.",
            retry_after_s=answer.retry_after_s if problem.startswith("status") else 0,
        )


def sign_with_certificate(setup: Setup, *, audience: str) -> str:
    """Return a client assertion signed with the connection's certificate (RFC 7523).

    Raises:
        InvalidError: certificate or key cannot be read.
    """
    try:
        certificate = x509.load_pem_x509_certificate(setup.certificate.encode())
        key = RSAKey.import_key(setup.private_key)
    except (ValueError, JoseError):
        raise InvalidError(
            "The certificate and its RSA private key must be PEM: -----BEGIN CERTIFICATE-----"
            " and -----BEGIN PRIVATE KEY-----."
        ) from None
    moment = int(time.time())
    header = {
        "alg": "PS256",
        "typ": "JWT",
        "x5t": _base64(certificate.fingerprint(hashes.SHA1())),  # noqa: S303 - what x5t is
        "x5t#S256": _base64(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()),
    }
    claims: dict[str, Any] = {
        "aud": audience,
        "iss": setup.client_id,
        "sub": setup.client_id,
        "jti": secrets.token_urlsafe(24),
        "iat": moment,
        "nbf": moment - 60,
        "exp": moment + _ASSERTION_LIFE_S,
    }
    return jwt.encode(header, claims, key, algorithms=["PS256"])


def _of_entra(
    refused: ProviderRefusedError, answer: Answer
) -> ProviderRefusedError | SignInNeededError:
    said = answer.json()
    numbers = said.get("error_codes") if isinstance(said, dict) else None
    known = [each for each in numbers or [] if isinstance(each, int)]
    for number in known:
        if number in _ADVICE:
            return ProviderRefusedError(
                f"Microsoft Entra refuses: {_ADVICE[number]} (AADSTS{number}).", code=refused.code
            )
    conditional = any(str(number).startswith("530") for number in known)
    again = conditional or any(number in _SIGN_IN_AGAIN for number in known)
    if again or refused.code in ("invalid_grant", "interaction_required", "consent_required"):
        return SignInNeededError(f"Connect again: {refused}")
    return refused


def _with(token: Token, refresh_token: str) -> Token:
    """Keep a refresh token that was not replaced."""
    return Token(
        value=token.value,
        expires_at=token.expires_at,
        refresh_token=refresh_token,
        scopes=token.scopes,
    )


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
