"""Every form in which people write an Azure DevOps repository is the same repository."""

import pytest

from landform.kit.errors import InvalidError
from landform.vcs.providers.azure_devops.urls import Located, locate, quoted

INFRA = Located("acme", "Cloud Team", "infra")
GUID = "0F1E2D3C-4b5a-6978-8796-a5b4c3d2e1f0"


@pytest.mark.parametrize(
    "reference",
    [
        "https://dev.azure.com/acme/Cloud%20Team/_git/infra",
        "https://acme@dev.azure.com/acme/Cloud%20Team/_git/infra",
        "https://dev.azure.com/acme/Cloud%20Team/_git/infra/",
        "https://dev.azure.com/acme/Cloud%20Team/_git/infra?path=/main.tf&version=GBmain",
        "https://dev.azure.com/acme/Cloud%20Team/_git/_optimized/infra",
        "https://dev.azure.com/acme/Cloud%20Team/_git/_full/infra",
        "https://dev.azure.com/acme/Cloud%20Team/_git/infra/pullrequest/7",
        "https://acme.visualstudio.com/Cloud%20Team/_git/infra",
        "https://acme.visualstudio.com/DefaultCollection/Cloud%20Team/_git/infra",
        "https://dev.azure.com/acme/Cloud%20Team/_apis/git/repositories/infra",
        "git@ssh.dev.azure.com:v3/acme/Cloud%20Team/infra",
        "ssh://git@ssh.dev.azure.com/v3/acme/Cloud%20Team/infra",
        "ssh://git@ssh.dev.azure.com:22/v3/acme/Cloud%20Team/infra",
        "acme@vs-ssh.visualstudio.com:v3/acme/Cloud%20Team/infra",
        "acme/Cloud Team/_git/infra",
        "acme/Cloud Team/infra",
        "  https://dev.azure.com/acme/Cloud%20Team/_git/infra\n",
    ],
)
def test_any_form_of_a_url_is_the_same_repository(reference: str) -> None:
    assert locate(reference) == INFRA


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("https://dev.azure.com/acme/_git/infra", Located("acme", "infra", "infra")),
        ("https://acme.visualstudio.com/_git/infra", Located("acme", "infra", "infra")),
        ("https://dev.azure.com/acme/p/_git/infra.git", Located("acme", "p", "infra.git")),
        ("https://dev.azure.com/acme/p/_git/a%2Fb", Located("acme", "p", "a/b")),
        ("Cloud Team/infra", Located("", "Cloud Team", "infra")),
        (GUID, Located("", "", GUID.lower())),
    ],
)
def test_short_forms_and_odd_names_are_understood(reference: str, found: Located) -> None:
    assert locate(reference) == found


@pytest.mark.parametrize(
    "reference",
    [
        "https://tfs.corp.example:8443/tfs/Main/Cloud%20Team/_git/infra",
        "https://tfs.corp.example:8443/TFS/Main/Cloud%20Team/_git/infra",
    ],
)
def test_a_server_may_be_below_a_path(reference: str) -> None:
    found = locate(reference, api_url="https://tfs.corp.example:8443/tfs")
    assert found == Located("Main", "Cloud Team", "infra")


@pytest.mark.parametrize(
    "reference",
    [
        *("", "infra", "https://dev.azure.com/acme", "https://dev.azure.com/", "a/b/c/d"),
        *("git@ssh.dev.azure.com:v3/acme/infra", "https://[::1/acme/p/_git/r", "x" * 3000),
        *("https://github.com/acme/infra", "https://dev.azure.com.evil.example/a/b/_git/c"),
        *("https://dev.azure.com:8443/a/b/_git/c", "acme\n/p/r"),
    ],
)
def test_what_names_no_repository_of_this_place_is_refused(reference: str) -> None:
    with pytest.raises(InvalidError):
        locate(reference)


def test_segments_are_encoded_one_by_one() -> None:
    assert quoted("Cloud Team", "a/b", "ü") == "Cloud%20Team/a%2Fb/%C3%BC"
