"""What people are told about providers, ways to sign in, connections and deliveries. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from landform.vcs.kinds import INTERACTIVE, Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus, DeliveryRow, DeliveryStatus
from landform.vcs.providers.github.apps import PERMISSIONS
from landform.web.present.vcs_azure import AZURE, AZURE_SERVER, ELSEWHERE
from landform.web.present.vcs_bitbucket import BITBUCKET, BITBUCKET_DATA_CENTER
from landform.web.present.vcs_fields import ADDRESS, Guide
from landform.web.present.vcs_forges import (
    APPROVE_APP,
    GIT,
    GITEA,
    GITHUB,
    GITLAB,
    INSTALL_APP,
    OWN_APP,
    REGISTER_APP,
)

PROVIDERS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.AZURE_DEVOPS: ("Azure DevOps Services", "dev.azure.com and visualstudio.com"),
    Kind.AZURE_DEVOPS_SERVER: ("Azure DevOps Server", "your own server, 2020 or newer"),
    Kind.GITHUB: ("GitHub", "github.com"),
    Kind.GITHUB_ENTERPRISE: ("GitHub Enterprise Server", "your own server"),
    Kind.GITLAB: ("GitLab", "gitlab.com"),
    Kind.GITLAB_SELF_MANAGED: ("GitLab self-managed", "your own server"),
    Kind.BITBUCKET: ("Bitbucket Cloud", "bitbucket.org"),
    Kind.BITBUCKET_DATA_CENTER: ("Bitbucket Data Center", "your own server"),
    Kind.GITEA: ("Gitea or Forgejo", "your own server, or codeberg.org"),
    Kind.GIT: ("Any git server", "by SSH key, or by user and password"),
}

LABELS: Final[Mapping[SignIn, str]] = {
    SignIn.OAUTH: "OAuth application",
    SignIn.ENTRA_OAUTH: "Microsoft Entra OAuth",
    SignIn.SERVICE_PRINCIPAL_SECRET: "Service principal with a secret",
    SignIn.SERVICE_PRINCIPAL_CERTIFICATE: "Service principal with a certificate",
    SignIn.SERVICE_PRINCIPAL_FEDERATED: "Service principal without a secret",
    SignIn.MANAGED_IDENTITY: "Managed identity",
    SignIn.TOKEN: "Access token",
    SignIn.GITHUB_APP: "GitHub App",
    SignIn.SSH_KEY: "SSH key",
    SignIn.PASSWORD: "User and password",
}


_OWN_HOST: Final = frozenset(
    {
        Kind.GITHUB_ENTERPRISE,
        Kind.GITLAB_SELF_MANAGED,
    }
)
# Of each kind's ways, the first is what most should take.
_GUIDES: Final[Mapping[Kind, Mapping[SignIn, Guide]]] = {
    Kind.AZURE_DEVOPS: {way: replace(each, more=ELSEWHERE) for way, each in AZURE.items()},
    Kind.AZURE_DEVOPS_SERVER: AZURE_SERVER,
    Kind.GITHUB: GITHUB,
    Kind.GITHUB_ENTERPRISE: GITHUB,
    Kind.GITLAB: GITLAB,
    Kind.GITLAB_SELF_MANAGED: GITLAB,
    Kind.BITBUCKET: BITBUCKET,
    Kind.BITBUCKET_DATA_CENTER: BITBUCKET_DATA_CENTER,
    Kind.GITEA: GITEA,
    Kind.GIT: GIT,
}

_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    ConnectionStatus.PENDING: ("wait", "Not connected yet"),
    ConnectionStatus.CONNECTED: ("good", "Connected"),
    ConnectionStatus.NEEDS_RECONNECT: ("bad", "Sign in again"),
    ConnectionStatus.FAILED: ("bad", "Does not work"),
}
_ABILITIES: Final[Mapping[str, str]] = {
    "listing": "List repositories",
    "hooks": "Manage service hooks",
    "statuses": "Set statuses",
    "checks": "Set checks, which show the plan",
    "comments": "Comment on pull requests",
}
_ANSWERS: Final[Mapping[bool | None, tuple[str, str]]] = {
    True: ("good", "yes"),
    False: ("bad", "no"),
    None: ("idle", "not known"),
}
_DELIVERED: Final[Mapping[DeliveryStatus, tuple[str, str]]] = {
    DeliveryStatus.RECEIVED: ("work", "Received"),
    DeliveryStatus.DONE: ("good", "Dealt with"),
    DeliveryStatus.FAILED: ("bad", "Failed"),
}


def ways_of(kind: Kind, ways: tuple[SignIn, ...]) -> list[tuple[SignIn, str, Guide]]:
    """Return a kind's ways to sign in, with label and guide, the one to prefer first."""
    return [(way, LABELS[way], guide(kind, way)) for way in _GUIDES[kind] if way in ways]


def guide(kind: Kind, sign_in: SignIn) -> Guide:
    """Return what to know of one way in to one kind of provider."""
    found = _GUIDES[kind][sign_in]
    if kind not in _OWN_HOST:
        return found
    return replace(found, fields=(ADDRESS, *found.fields))


def has_callback(sign_in: SignIn) -> bool:
    """Whether a person is sent to the provider and back."""
    return sign_in in INTERACTIVE


def steps(row: Connection, provider: str) -> tuple[str, ...]:
    """Return what an administrator does next at a connection that does not work yet."""
    told = guide(row.kind, row.sign_in).steps
    test = f"Choose Test: Landform asks {provider} who it is there."
    if row.sign_in is SignIn.GITHUB_APP:
        if row.lacks_app:
            return (REGISTER_APP, INSTALL_APP)
        return (INSTALL_APP, APPROVE_APP) if row.app_url else (*OWN_APP, test)
    if row.sign_in in INTERACTIVE:
        last = f"Choose Connect. You are sent to {provider} and come back connected."
        return (*told, last)
    return (*told, test)


def connect_label(row: Connection) -> str:
    """Return what is pressed to go to the provider; nothing where nobody has to."""
    is_connected = row.status is ConnectionStatus.CONNECTED
    if row.lacks_app:
        return "Register at GitHub"
    if row.app_url:
        return "" if is_connected else "Install at GitHub"
    if row.sign_in in INTERACTIVE:
        return "Connect again" if is_connected else "Connect"
    return ""


def app_permissions() -> list[tuple[str, str]]:
    """Return what an app that is registered from here may do: what, and whether it may write."""
    return [(name.replace("_", " "), value) for name, value in PERMISSIONS.items()]


def look(row: Connection) -> tuple[str, str]:
    """Return how a connection's status looks, and what it is called."""
    if row.status is ConnectionStatus.NEEDS_RECONNECT and not row.sends_people:
        return _LOOKS[ConnectionStatus.FAILED]  # nobody signs in: it needs another token
    if row.status is not ConnectionStatus.PENDING or row.sends_people:
        return _LOOKS[row.status]
    return _LOOKS[ConnectionStatus.FAILED] if row.status_reason else ("idle", "Not tested yet")


def abilities(row: Connection) -> list[tuple[str, str, str, str]]:
    """Return what a connection may do at its provider: what, look, word, and what it lacks."""
    found = row.capabilities
    if not found:
        return []
    lacking = found.get("lacking") or {}
    return [
        (label, *_ANSWERS[found.get(name)], lacking.get(name, ""))
        for name, label in _ABILITIES.items()
        if name in found
    ]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One delivery of the list: how its status looks and is called, and why what came of it did."""

    id: str
    received_at: datetime
    event: str
    repository: str
    look: str
    label: str
    reasons: Sequence[str]

    @property
    def key(self) -> str:
        """Return what names the row on its page."""
        return self.id


def arrival(row: DeliveryRow, repository: str) -> Arrival:
    """Return a delivery for a hook of the repository."""
    shown = [
        " ".join(str(each[key]) for key in ("change", "reason") if each.get(key))
        for each in row.outcomes
    ]
    look, label = _DELIVERED[row.status]
    return Arrival(
        id=row.id,
        received_at=row.received_at,
        event=row.event,
        repository=repository,
        look=look,
        label=label,
        reasons=[each for each in shown if each],
    )
