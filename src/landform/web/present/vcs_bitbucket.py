"""Ways in to Bitbucket, for people. Pure. Facts: vcs_providers.md §5."""

from collections.abc import Mapping
from typing import Final

from landform.vcs.kinds import SignIn
from landform.web.present.vcs_fields import ADDRESS, ENDS, Field, Guide

_WORKSPACE: Final = Field(
    name="account",
    label="Workspace",
    hint="The first part of its addresses: https://bitbucket.org/WORKSPACE.",
)
BITBUCKET: Final[Mapping[SignIn, Guide]] = {
    SignIn.TOKEN: Guide(
        advice="The quickest: an access token of the workspace, or an API token of a robot user.",
        steps=(
            (
                "Under Workspace settings, Access tokens (or those of a project or repository) make"
                " one with Repositories read, Pull requests write, and Webhooks read and write."
            ),
            (
                "Or make an API token of a user, with the scopes read:user, read:repository,"
                " write:repository, read:pullrequest, write:pullrequest and those of webhook."
            ),
        ),
        fields=(
            _WORKSPACE,
            Field(
                name="username",
                label="Email of the user",
                hint="Only of an API token. Empty: an access token.",
                is_required=False,
            ),
            Field(name="client_secret", label="Token", kind="secret"),
            ENDS,
        ),
    ),
    SignIn.OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            (
                "Under Workspace settings, OAuth consumers add a private one with the callback"
                " address below, and the permissions Account read, Repositories write, Pull"
                " requests write, Webhooks read and write."
            ),
            "Copy its key and secret.",
        ),
        fields=(
            _WORKSPACE,
            Field(name="client_id", label="Key"),
            Field(name="client_secret", label="Secret", kind="secret"),
        ),
    ),
}
BITBUCKET_DATA_CENTER: Final[Mapping[SignIn, Guide]] = {
    SignIn.TOKEN: Guide(
        advice="The one way there is: an HTTP access token.",
        steps=(
            (
                "Under Project settings (or those of a repository), HTTP access tokens make one"
                " with the permission Repository admin, which webhooks need; or with Repository"
                " read, and repositories are looked at instead."
            ),
            (
                "If the server has a private address, an operator of Landform allows it first:"
                " LANDFORM_EGRESS_ALLOW."
            ),
        ),
        fields=(
            ADDRESS,
            Field(
                name="account",
                label="Project",
                hint="Its key, where the token is of one project. Empty: all that may be seen.",
                is_required=False,
            ),
            Field(name="client_secret", label="HTTP access token", kind="secret"),
            ENDS,
        ),
    ),
}
