"""Which providers there are, and the ways to sign in to them. Imports nothing of ours.

The values of `Kind` are those of TFE's `service-provider` where TFE has one.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """A kind of place that keeps repositories."""

    AZURE_DEVOPS = "ado_services"
    AZURE_DEVOPS_SERVER = "ado_server"
    GITHUB = "github"
    GITHUB_ENTERPRISE = "github_enterprise"
    GITLAB = "gitlab_hosted"
    GITLAB_SELF_MANAGED = "gitlab_enterprise_edition"
    BITBUCKET = "bitbucket_hosted"
    BITBUCKET_DATA_CENTER = "bitbucket_data_center"
    GITEA = "gitea"
    GIT = "git"


class SignIn(StrEnum):
    """How a connection gets its credentials."""

    OAUTH = "oauth"  # the provider's own; for Azure DevOps the legacy one
    ENTRA_OAUTH = "entra-oauth"
    SERVICE_PRINCIPAL_SECRET = "service-principal-secret"  # noqa: S105 - a way, not a secret
    SERVICE_PRINCIPAL_CERTIFICATE = "service-principal-certificate"
    SERVICE_PRINCIPAL_FEDERATED = "service-principal-federated"
    MANAGED_IDENTITY = "managed-identity"
    TOKEN = "token"  # noqa: S105 - a way, not a secret
    GITHUB_APP = "github-app"
    SSH_KEY = "ssh-key"
    PASSWORD = "password"  # noqa: S105 - a way, not a secret


# Ways in which a person is sent to the provider and back; the others need nobody.
INTERACTIVE: Final = frozenset({SignIn.OAUTH, SignIn.ENTRA_OAUTH})

WAYS: Final[Mapping[Kind, tuple[SignIn, ...]]] = {
    Kind.AZURE_DEVOPS: (
        SignIn.OAUTH,
        SignIn.ENTRA_OAUTH,
        SignIn.SERVICE_PRINCIPAL_SECRET,
        SignIn.SERVICE_PRINCIPAL_CERTIFICATE,
        SignIn.SERVICE_PRINCIPAL_FEDERATED,
        SignIn.MANAGED_IDENTITY,
        SignIn.TOKEN,
    ),
    Kind.AZURE_DEVOPS_SERVER: (SignIn.TOKEN,),
    Kind.GITHUB: (SignIn.OAUTH, SignIn.GITHUB_APP, SignIn.TOKEN),
    Kind.GITHUB_ENTERPRISE: (SignIn.OAUTH, SignIn.GITHUB_APP, SignIn.TOKEN),
    Kind.GITLAB: (SignIn.OAUTH, SignIn.TOKEN),
    Kind.GITLAB_SELF_MANAGED: (SignIn.OAUTH, SignIn.TOKEN),
    Kind.BITBUCKET: (SignIn.OAUTH, SignIn.TOKEN),
    Kind.BITBUCKET_DATA_CENTER: (SignIn.TOKEN,),
    Kind.GITEA: (SignIn.OAUTH, SignIn.TOKEN),
    Kind.GIT: (SignIn.SSH_KEY, SignIn.PASSWORD),
}
