"""Ways in to GitHub, GitLab, what is like them, and git itself, for people. Pure."""

from collections.abc import Mapping
from typing import Final

from landform.vcs.kinds import SignIn
from landform.web.present.vcs_fields import ADDRESS, ENDS, SECRET, Field, Guide

REGISTER_APP: Final = (
    "Choose Register at GitHub. You go there with what the app may do, name it, and come back."
)
INSTALL_APP: Final = (
    "Install the app where your repositories are: GitHub asks which, and sends you back connected."
)
APPROVE_APP: Final = "Where an owner has to approve it, choose Test once they did."
OWN_APP: Final = (
    (
        "Under Settings, Developer settings, GitHub Apps register an app, with its own webhook"
        " switched off. Repository permissions: Contents and Metadata read; Commit statuses,"
        " Checks, Pull requests, Issues and Webhooks write."
    ),
    "Make a private key, and install the app where your repositories are.",
)
GITHUB: Final[Mapping[SignIn, Guide]] = {
    SignIn.GITHUB_APP: Guide(
        advice="For a platform: Landform acts as itself, on the repositories it is installed on.",
        steps=(
            "Name the organization whose repositories these are, and save.",
            REGISTER_APP,
            INSTALL_APP,
        ),
        fields=(
            Field(
                name="account",
                label="Organization at GitHub",
                hint="Empty: your own account there.",
                is_required=False,
            ),
        ),
        more=(
            Field(
                name="client_id", label="Client ID or App ID", hint=OWN_APP[0], is_required=False
            ),
            Field(name="private_key", label="Private key, PEM", kind="lines", is_required=False),
        ),
        more_label="An app that you registered yourself",
    ),
    SignIn.TOKEN: Guide(
        advice="The quickest: a personal access token, best a robot user's.",
        steps=(
            (
                "Make a classic token with the scope repo, or a fine-grained one that may read"
                " contents, and write commit statuses, pull requests, issues and webhooks."
            ),
        ),
        fields=(Field(name="client_secret", label="Personal access token", kind="secret"), ENDS),
    ),
    SignIn.OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            (
                "Under Settings, Developer settings, OAuth Apps register one with the callback"
                " address below. An organization may have to approve it."
            ),
        ),
        fields=(Field(name="client_id", label="Client ID"), SECRET),
    ),
}
_GITLAB_GROUP: Final = Field(
    name="account",
    label="Group",
    hint="With the groups it is in: acme/cloud. Only its projects are listed. Empty: all.",
    is_required=False,
)
GITLAB: Final[Mapping[SignIn, Guide]] = {
    SignIn.TOKEN: Guide(
        advice="For a platform: a token of a group or a project, which is nobody's own.",
        steps=(
            (
                "In the group (or project), under Settings, Access tokens, add one: role"
                " Maintainer, scope api, and the latest expiration date you may choose."
            ),
            (
                "Where these are not offered, a robot user that is Maintainer makes a personal one"
                " under Preferences, Access tokens, with the scope api."
            ),
        ),
        fields=(Field(name="client_secret", label="Access token", kind="secret"), _GITLAB_GROUP),
        more=(ENDS,),
        more_label="If GitLab does not say when it ends",
        warning="It ends after a year at the latest. Landform asks GitLab when, and warns before.",
    ),
    SignIn.OAUTH: Guide(
        advice="For people: somebody signs in once, and Landform acts as them.",
        steps=(
            (
                "In a group, under Settings, Applications (or your own, under Preferences) add"
                " one: Redirect URI as the callback address below, Confidential on, scope api."
            ),
            "Copy its Application ID and Secret.",
            "Whoever connects must be Maintainer of the projects, as only they manage webhooks.",
        ),
        fields=(
            Field(name="client_id", label="Application ID"),
            Field(name="client_secret", label="Secret", kind="secret"),
            _GITLAB_GROUP,
        ),
    ),
}
GITEA: Final[Mapping[SignIn, Guide]] = {
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
            ADDRESS,
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
        fields=(ADDRESS, Field(name="client_id", label="Client ID"), SECRET),
    ),
}
GIT: Final[Mapping[SignIn, Guide]] = {
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
            ENDS,
        ),
    ),
}
