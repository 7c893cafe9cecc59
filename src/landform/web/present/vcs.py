"""What people are told about each provider and each way to sign in to it. Pure.

Facts of Azure DevOps and Entra: vcs_providers.md §1.1; what is advised is as of late 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from landform.vcs.kinds import INTERACTIVE, Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus, DeliveryRow, DeliveryStatus

PROVIDERS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.AZURE_DEVOPS: ("Azure DevOps Services", "dev.azure.com and visualstudio.com"),
    Kind.AZURE_DEVOPS_SERVER: ("Azure DevOps Server", "one of your own, 2020 or newer"),
    Kind.GITHUB: ("GitHub", "github.com"),
    Kind.GITHUB_ENTERPRISE: ("GitHub Enterprise Server", "one of your own"),
    Kind.GITLAB: ("GitLab", "gitlab.com"),
    Kind.GITLAB_SELF_MANAGED: ("GitLab self-managed", "one of your own"),
    Kind.BITBUCKET: ("Bitbucket Cloud", "bitbucket.org"),
    Kind.BITBUCKET_DATA_CENTER: ("Bitbucket Data Center", "one of your own"),
    Kind.GITEA: ("Gitea or Forgejo", "one of your own, or codeberg.org"),
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


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form; `kind` is `text`, `secret` or `lines`."""

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    is_required: bool = True


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What to know before choosing a way to sign in, and what it asks for.

    Attributes:
        advice: for whom it is; one sentence.
        steps: what to do at the provider first, in order.
        more: fields that hardly anybody needs.
        warning: why one would rather not.
    """

    advice: str
    steps: tuple[str, ...]
    fields: tuple[Field, ...]
    more: tuple[Field, ...] = ()
    warning: str = ""

    @property
    def every(self) -> tuple[Field, ...]:
        """All fields, those that hardly anybody needs last."""
        return (*self.fields, *self.more)


_TENANT: Final = Field(
    name="tenant", label="Directory (tenant) ID", hint="From the overview of the app registration."
)
_ANY_TENANT: Final = Field(
    name="tenant",
    label="Directory (tenant) ID",
    hint="Empty: people of any directory that the application lets in.",
    is_required=False,
)
_APP: Final = Field(
    name="client_id", label="Application (client) ID", hint="From the same overview."
)
_SECRET: Final = Field(name="client_secret", label="Client secret", kind="secret")
_ENDS: Final = Field(
    name="secret_expires_at",
    label="The secret ends on",
    hint="Landform warns before. A date: 2027-05-31.",
    is_required=False,
)
_AZURE_ORGANIZATION: Final = Field(
    name="account",
    label="Azure DevOps organization",
    hint="The first part of its addresses: https://dev.azure.com/ORGANIZATION.",
)
_REGISTER: Final = (
    "In the Azure portal, under Microsoft Entra ID, App registrations, choose New registration."
)
_ADD_TO_DEVOPS: Final = (
    "In Azure DevOps, Organization settings, Users, add the application by its name: access level"
    " Basic, and the projects it may see."
)
_ADDRESS: Final = Field(
    name="endpoint", label="Address", hint="Such as https://git.example.com, or with a path."
)

_ELSEWHERE: Final = (
    Field(
        name="api_url",
        label="Address of Azure DevOps",
        hint="Empty: https://dev.azure.com.",
        is_required=False,
    ),
    Field(
        name="endpoint",
        label="Address to sign in at",
        hint="Empty: Microsoft's own.",
        is_required=False,
    ),
)

_AZURE: Final[Mapping[SignIn, Guide]] = {
    SignIn.ENTRA_OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            f"{_REGISTER} As redirect URI choose Web, and give it the callback address below.",
            (
                "Under API permissions add Azure DevOps, delegated: vso.code, vso.code_status, and,"
                " for service hooks and comments, vso.hooks_write and vso.threads_full."
            ),
            "Under Certificates & secrets make a client secret.",
        ),
        fields=(
            _AZURE_ORGANIZATION,
            _APP,
            _ANY_TENANT,
            Field(
                name="client_secret",
                label="Client secret",
                hint="Empty for a public client.",
                kind="secret",
                is_required=False,
            ),
            _ENDS,
        ),
    ),
    SignIn.SERVICE_PRINCIPAL_FEDERATED: Guide(
        advice="For a platform: no secret is stored anywhere, and nothing ever expires.",
        steps=(
            f"{_REGISTER} It needs no redirect URI.",
            _ADD_TO_DEVOPS,
            (
                "Save the form. The connection's page then shows the issuer and subject to add"
                " under Certificates & secrets, Federated credentials, Other issuer."
            ),
        ),
        fields=(_AZURE_ORGANIZATION, _TENANT, _APP),
    ),
    SignIn.SERVICE_PRINCIPAL_CERTIFICATE: Guide(
        advice="For a platform whose directory does not allow federated credentials.",
        steps=(
            f"{_REGISTER} It needs no redirect URI.",
            "Under Certificates & secrets upload the certificate.",
            _ADD_TO_DEVOPS,
        ),
        fields=(
            _AZURE_ORGANIZATION,
            _TENANT,
            _APP,
            Field(name="certificate", label="Certificate, PEM", kind="lines"),
            Field(name="private_key", label="Its private key, PEM", kind="lines"),
        ),
    ),
    SignIn.SERVICE_PRINCIPAL_SECRET: Guide(
        advice="As above where there is no certificate either. The secret must be renewed.",
        steps=(
            f"{_REGISTER} It needs no redirect URI.",
            "Under Certificates & secrets make a client secret.",
            _ADD_TO_DEVOPS,
        ),
        fields=(_AZURE_ORGANIZATION, _TENANT, _APP, _SECRET, _ENDS),
    ),
    SignIn.MANAGED_IDENTITY: Guide(
        advice="For a Landform on a machine or cluster of Azure that has an identity.",
        steps=("Give the machine a managed identity.", _ADD_TO_DEVOPS),
        fields=(
            _AZURE_ORGANIZATION,
            Field(
                name="client_id",
                label="Client ID of the identity",
                hint="Empty: the machine's own (system-assigned).",
                is_required=False,
            ),
        ),
    ),
    SignIn.TOKEN: Guide(
        advice="To try it out: a personal access token of somebody, who should be a robot.",
        steps=(
            (
                "In Azure DevOps, User settings, Personal access tokens, make one with Code (read"
                " and status) and, for service hooks and comments, Code (read & write) as well."
            ),
        ),
        fields=(
            _AZURE_ORGANIZATION,
            Field(name="client_secret", label="Personal access token", kind="secret"),
            _ENDS,
        ),
        warning="It ends with its owner's employment, and after a year at the latest.",
    ),
    SignIn.OAUTH: Guide(
        advice="Only for an OAuth application of Azure DevOps that you have already.",
        steps=(
            (
                "Open the application at https://app.vsaex.visualstudio.com/me. It needs the scopes"
                " Code (read) and Code (status)."
            ),
            "Set its authorization callback URL to the callback address below.",
        ),
        fields=(
            _AZURE_ORGANIZATION,
            Field(name="client_id", label="App ID"),
            Field(name="client_secret", label="Client secret", kind="secret"),
        ),
        warning="Microsoft takes no new applications of this kind and ends them in 2026.",
    ),
}
_AZURE_SERVER: Final[Mapping[SignIn, Guide]] = {
    SignIn.TOKEN: Guide(
        advice="The one way there is: a personal access token.",
        steps=(
            (
                "On the server, under your picture, Security, Personal access tokens, make one with"
                " Code (read and status)."
            ),
            (
                "If the server has a private address, an operator of Landform allows it first:"
                " LANDFORM_EGRESS_ALLOW."
            ),
        ),
        fields=(
            Field(
                name="endpoint",
                label="Address of the server",
                hint="Without the collection: https://devops.example.com/tfs.",
            ),
            Field(name="account", label="Collection", hint="Often DefaultCollection."),
            Field(name="client_secret", label="Personal access token", kind="secret"),
            _ENDS,
        ),
    ),
}
_GITHUB_ACCOUNT: Final = Field(
    name="account",
    label="User or organization",
    hint="Who installed the app. Empty where there is only one.",
    is_required=False,
)
_GITHUB: Final[Mapping[SignIn, Guide]] = {
    SignIn.GITHUB_APP: Guide(
        advice="For a platform: Landform acts as itself, on the repositories it is installed on.",
        steps=(
            (
                "Under Settings, Developer settings, GitHub Apps register an app, with its own"
                " webhook switched off. Repository permissions: Contents and Metadata read; Commit"
                " statuses, Pull requests, Issues and Webhooks write."
            ),
            "Make a private key, and install the app where your repositories are.",
        ),
        fields=(
            Field(name="client_id", label="Client ID or App ID"),
            Field(name="private_key", label="Private key, PEM", kind="lines"),
            _GITHUB_ACCOUNT,
        ),
    ),
    SignIn.TOKEN: Guide(
        advice="The quickest: a personal access token, best a robot user's.",
        steps=(
            (
                "Make a classic token with the scope repo, or a fine-grained one that may read"
                " contents, and write commit statuses, pull requests, issues and webhooks."
            ),
        ),
        fields=(Field(name="client_secret", label="Personal access token", kind="secret"), _ENDS),
    ),
    SignIn.OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            (
                "Under Settings, Developer settings, OAuth Apps register one with the callback"
                " address below. An organization may have to approve it."
            ),
        ),
        fields=(Field(name="client_id", label="Client ID"), _SECRET),
    ),
}
_GITEA: Final[Mapping[SignIn, Guide]] = {
    SignIn.TOKEN: Guide(
        advice="The quickest: a token of a user, best a robot's.",
        steps=(
            ("Make a user who is an administrator of the repositories, as webhooks need that."),
            (
                "As that user, under Settings, Applications, make a token that may read user and"
                " organization, and read and write repository and issue."
            ),
        ),
        fields=(
            _ADDRESS,
            Field(name="client_secret", label="Access token", kind="secret"),
        ),
    ),
    SignIn.OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            (
                "Under Settings, Applications, of a user, an organization or the whole server, make"
                " an OAuth2 application: confidential, with the callback address below."
            ),
            "Copy its client ID and secret.",
        ),
        fields=(_ADDRESS, Field(name="client_id", label="Client ID"), _SECRET),
    ),
}
_GENERAL: Final[Mapping[SignIn, Guide]] = {
    SignIn.OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            "Register an OAuth application at the provider, with the callback address below.",
            "Copy its client ID, and make a secret.",
        ),
        fields=(Field(name="client_id", label="Client ID"), _SECRET),
    ),
    SignIn.TOKEN: Guide(
        advice="The quickest: a token of a user, a group or a project, best a robot's.",
        steps=("Make a token that may read code, set statuses, comment and manage webhooks.",),
        fields=(Field(name="client_secret", label="Access token", kind="secret"), _ENDS),
    ),
}
_GIT: Final[Mapping[SignIn, Guide]] = {
    SignIn.SSH_KEY: Guide(
        advice="For a server that speaks git over SSH, such as Gitolite or a plain sshd.",
        steps=(
            (
                "Add the public half of the key, which the connection's page shows, to the server"
                " as one that may read."
            ),
            "On that page ask the server for its own keys, compare them, and pin them.",
        ),
        fields=(
            Field(
                name="endpoint",
                label="Address",
                hint="Such as ssh://git.example.com, with :PORT or a path where there is one.",
            ),
            Field(name="username", label="User", hint="Empty: git.", is_required=False),
            Field(
                name="private_key",
                label="Private key",
                hint="Empty: Landform makes one. Else ed25519 or RSA, without a passphrase.",
                kind="lines",
                is_required=False,
            ),
            Field(
                name="known_hosts",
                label="Keys of the server",
                hint="Lines of a known_hosts file. Empty: ask the server on the next page.",
                kind="lines",
                is_required=False,
            ),
        ),
    ),
    SignIn.PASSWORD: Guide(
        advice="For a server that speaks git over HTTPS.",
        steps=("Make a user, or a token, that may read the repositories.",),
        fields=(
            Field(
                name="endpoint",
                label="Address",
                hint="What the addresses of its repositories begin with: https://git.example.com.",
            ),
            Field(name="username", label="User", hint="Of a token alone, any word will do."),
            Field(name="client_secret", label="Password or token", kind="secret"),
            _ENDS,
        ),
    ),
}
_OWN_HOST: Final = frozenset(
    {
        Kind.GITHUB_ENTERPRISE,
        Kind.GITLAB_SELF_MANAGED,
        Kind.BITBUCKET_DATA_CENTER,
    }
)
_OWN_WORDS: Final[Mapping[Kind, Mapping[SignIn, Guide]]] = {
    Kind.AZURE_DEVOPS_SERVER: _AZURE_SERVER,
    Kind.GITEA: _GITEA,
    Kind.GIT: _GIT,
}
# The first is what most should take.
_ORDER: Final[Mapping[Kind, tuple[SignIn, ...]]] = {
    Kind.AZURE_DEVOPS: tuple(_AZURE),
    Kind.AZURE_DEVOPS_SERVER: tuple(_AZURE_SERVER),
    Kind.GITHUB: tuple(_GITHUB),
    Kind.GITHUB_ENTERPRISE: tuple(_GITHUB),
    Kind.GITEA: tuple(_GITEA),
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
    order = _ORDER.get(kind, ways)
    return [(way, LABELS[way], guide(kind, way)) for way in order if way in ways]


def guide(kind: Kind, sign_in: SignIn) -> Guide:
    """Return what to know of one way in to one kind of provider."""
    if kind is Kind.AZURE_DEVOPS:
        return replace(_AZURE[sign_in], more=_ELSEWHERE)
    if kind in _OWN_WORDS:
        return _OWN_WORDS[kind][sign_in]
    is_github = kind in (Kind.GITHUB, Kind.GITHUB_ENTERPRISE)
    found = (_GITHUB if is_github else _GENERAL)[sign_in]
    if kind not in _OWN_HOST:
        return found
    return replace(found, fields=(_ADDRESS, *found.fields))


def has_callback(sign_in: SignIn) -> bool:
    """Whether a person is sent to the provider and back."""
    return sign_in in INTERACTIVE


def look(row: Connection) -> tuple[str, str]:
    """Return how a connection's status looks, and what it is called."""
    needs_nobody = row.status is ConnectionStatus.PENDING and row.sign_in not in INTERACTIVE
    return ("idle", "Not tested yet") if needs_nobody else _LOOKS[row.status]


def abilities(row: Connection) -> list[tuple[str, str, str, str]]:
    """Return what a connection may do at its provider: what, look, word, and what it lacks."""
    found = row.capabilities
    if not found:
        return []
    lacking = found.get("lacking") or {}
    return [
        (label, *_ANSWERS[found.get(name)], lacking.get(name, ""))
        for name, label in _ABILITIES.items()
    ]


def delivered(row: DeliveryRow) -> tuple[str, str, list[str]]:
    """Return how a delivery's status looks, what it is called, and why what came of it did."""
    shown = [
        " ".join(str(each[key]) for key in ("change", "reason") if each.get(key))
        for each in row.outcomes
    ]
    return (*_DELIVERED[row.status], [each for each in shown if each])
