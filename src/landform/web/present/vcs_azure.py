"""Ways in to Azure DevOps, for people. Pure.

Facts: vcs_providers.md §1.1; what is advised is as of late 2026.
"""

from collections.abc import Mapping
from typing import Final

from landform.vcs.kinds import SignIn
from landform.web.present.vcs_fields import ENDS, SECRET, Field, Guide

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
ELSEWHERE: Final = (
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

AZURE: Final[Mapping[SignIn, Guide]] = {
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
            ENDS,
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
        fields=(_AZURE_ORGANIZATION, _TENANT, _APP, SECRET, ENDS),
    ),
    SignIn.MANAGED_IDENTITY: Guide(
        advice="For a Landform on a machine or cluster of Azure that has an identity. It is the"
        " same for every organization, so only a site admin can set it up.",
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
            ENDS,
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
AZURE_SERVER: Final[Mapping[SignIn, Guide]] = {
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
            ENDS,
        ),
    ),
}
