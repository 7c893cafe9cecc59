"""What providers publish of themselves: addresses and keys, fetched when needed and kept a while.

OpenID Connect Discovery 1.0 §4; RFC 7517. A failure is kept too, for seconds, so that a stranger
who asks to sign in again and again does not have us call a provider again and again.
"""

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from landform.federation.errors import ProviderAwayError
from landform.kit.egress import Answer, Bounds, Outbound
from landform.kit.errors import LandformError

KEPT_S: Final = 600.0
FAILURE_KEPT_S: Final = 10.0
KEYS_AGAIN_S: Final = 10.0  # between two looks for a key that was not there
_OK: Final = 200
_MOST_KEYS: Final = 50
_BOUNDS: Final = Bounds(total_s=10.0, connect_s=5.0, body_bytes=2**20)

T = TypeVar("T")
PublicKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Where the parts of a provider are.

    Attributes:
        takes_basic: it takes the secret in the header, as all do that do not say.
        tells_issuer: it says in its answers who it is (RFC 9207).
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    takes_basic: bool = True
    tells_issuer: bool = False


@dataclass
class _Kept:
    at: float
    document: Any = None
    failure: str = ""


@dataclass
class _Keys:
    at: float
    keys: Sequence[PublicKey]


@dataclass
class Directory:
    """What this process knows of providers, and its way to them."""

    http: Outbound
    _known: dict[Hashable, _Kept] = field(default_factory=dict)
    _keys: dict[str, _Keys] = field(default_factory=dict)

    async def metadata(self, issuer: str) -> Metadata:
        """Return where the parts of the provider are.

        Raises:
            ProviderAwayError: it does not say, or the operator does not allow calling it.
        """
        return _read_metadata(await self._document(issuer))

    async def keys_of(self, issuer: str, key_id: str | None) -> Sequence[PublicKey]:
        """Return the keys that a signature by `key_id` may be of, of who only signs tokens.

        Raises:
            ProviderAwayError: they are not to be had, or the operator does not allow calling it.
        """
        return await self.keys(_address(await self._document(issuer), "jwks_uri"), key_id)

    async def published(
        self, issuer: str, url: str, read: Callable[[bytes], T], *, accept: str
    ) -> T:
        """Return what `read` makes of the document at `url` that is the issuer's.

        Raises:
            ProviderAwayError: it is not to be had or not to be read, or the operator does not
                allow calling it.
        """

        async def fetch() -> T:
            return read((await self._fetch(url, {"accept": accept})).body)

        found: T = await self._once((issuer, url), fetch)
        return found

    async def _document(self, issuer: str) -> Mapping[str, Any]:
        async def fetch() -> Mapping[str, Any]:
            url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            return _checked(issuer, await self.get(url))

        found: Mapping[str, Any] = await self._once(issuer, fetch)
        return found

    async def _once(self, what: Hashable, fetch: Callable[[], Awaitable[Any]]) -> Any:
        kept = self._known.get(what)
        if kept is not None and time.monotonic() - kept.at < (
            FAILURE_KEPT_S if kept.failure else KEPT_S
        ):
            if kept.failure:
                raise ProviderAwayError(kept.failure)
            return kept.document
        try:
            found = await fetch()
        except LandformError as failure:
            self._known[what] = _Kept(time.monotonic(), failure=str(failure))
            raise ProviderAwayError(str(failure)) from None
        self._known[what] = _Kept(time.monotonic(), found)
        return found

    async def keys(self, jwks_uri: str, key_id: str | None) -> Sequence[PublicKey]:
        """Return the keys that a signature by `key_id` may be of: those so named, or without name.

        A name that is not known has them fetched again, as after a rotation, but not often.

        Raises:
            ProviderAwayError: they are not to be had.
        """
        kept = self._keys.get(jwks_uri)
        if kept is not None:
            age_s = time.monotonic() - kept.at
            patience_s = KEPT_S if _named(kept.keys, key_id) else KEYS_AGAIN_S
            if age_s > patience_s:
                kept = None
        kept = kept or await self._fetch_keys(jwks_uri)
        return _named(kept.keys, key_id)

    async def get(self, url: str, *, bearer: str = "", accept: str = "application/json") -> Any:
        """Fetch a JSON document.

        Raises:
            ProviderAwayError: it is not to be had.
            BlockedAddressError: the operator does not allow calling it.
        """
        headers = {"accept": accept} | ({"authorization": f"Bearer {bearer}"} if bearer else {})
        return (await self._fetch(url, headers)).json()

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        answer = await self.http.request("GET", url, headers=headers, bounds=_BOUNDS)
        if answer.status != _OK:
            raise ProviderAwayError(f"{urlsplit(url).netloc} answers {answer.status}.")
        return answer

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Send a form to a token endpoint; return what it says, be it an error's document.

        Raises:
            ProviderAwayError: it says nothing that can be read.
            BlockedAddressError: the operator does not allow calling it.
        """
        sent = {"accept": "application/json", **headers}
        answer = await self.http.request("POST", url, form=form, headers=sent, bounds=_BOUNDS)
        said = answer.json()
        if not isinstance(said, dict):
            raise ProviderAwayError(
                f"{urlsplit(url).netloc} answered {answer.status} with something that is no token."
            )
        return said

    async def _fetch_keys(self, jwks_uri: str) -> _Keys:
        document = await self.get(jwks_uri)
        listed = document.get("keys") if isinstance(document, dict) else None
        several = listed[:_MOST_KEYS] if isinstance(listed, list) else []
        found = [_import(each) for each in several]
        kept = _Keys(time.monotonic(), [each for each in found if each is not None])
        self._keys[jwks_uri] = kept
        return kept


def _checked(issuer: str, document: Any) -> dict[str, Any]:
    said: dict[str, Any] = document if isinstance(document, dict) else {}
    if said.get("issuer") != issuer:
        raise ProviderAwayError(
            f"What is published at {issuer} calls itself {str(said.get('issuer'))[:200]!r}. The"
            " issuer must be given exactly as the provider writes it."
        )
    return said


def _read_metadata(said: Mapping[str, Any]) -> Metadata:
    methods = said.get("token_endpoint_auth_methods_supported")
    return Metadata(
        authorization_endpoint=_address(said, "authorization_endpoint"),
        token_endpoint=_address(said, "token_endpoint"),
        jwks_uri=_address(said, "jwks_uri"),
        userinfo_endpoint=_address(said, "userinfo_endpoint", is_needed=False),
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        tells_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(said: Mapping[str, Any], name: str, *, is_needed: bool = True) -> str:
    value = said.get(name)
    if value is None and not is_needed:
        return ""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("https", "http") or not parts.netloc:
        raise ProviderAwayError(f"The provider's discovery document has no usable {name}.")
    return str(value)


def _import(said: Any) -> PublicKey | None:
    if not isinstance(said, dict) or said.get("use", "sig") != "sig":
        return None
    try:
        match said.get("kty"):  # no symmetric ones
            case "RSA":
                return RSAKey.import_key(said)
            case "EC":
                return ECKey.import_key(said)
            case "OKP":
                return OKPKey.import_key(said)
            case _:
                return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _named(keys: Sequence[PublicKey], key_id: str | None) -> Sequence[PublicKey]:
    if key_id is None:
        return keys
    return [each for each in keys if each.kid in (key_id, None)]
