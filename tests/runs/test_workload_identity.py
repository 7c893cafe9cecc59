"""Which tokens a run gets, whose they say it is, and where its tools find them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from landform.contract import Category, Phase, PhaseJob, Variable
from landform.identity import issuer
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from landform.runs.attempts import Platform
from landform.runs.workload_identity import make_credentials, wanted
from landform.toolchain.versions import Tool
from landform.variables.service import VariableSettings, create_variable
from landform.workspaces.models import Workspace
from tests.world import World

URL = "https://landform.example.com"
ROLE = "arn:aws:iam::123456789012:role/landform"
AWS = {"TFC_AWS_PROVIDER_AUTH": "true", "TFC_AWS_RUN_ROLE_ARN": ROLE}
CONTEXT = {
    "organization": "acme",
    "project": "Default Project",
    "workspace": "network",
    "organization_id": "org-1",
    "project_id": "prj-1",
    "workspace_id": "ws-1",
}


def job_with(environment: dict[str, str], phase: Phase = Phase.PLAN) -> PhaseJob:
    return PhaseJob(
        phase_id="plan-1",
        phase=phase,
        run_id="run-1",
        workspace_id="ws-1",
        epoch=1,
        lease_s=10,
        tool=Tool.TERRAFORM,
        version="1.11.4",
        context=CONTEXT,
        variables=[
            Variable(key=key, value=value, category=Category.ENV)
            for key, value in environment.items()
        ],
    )


class Made:
    """What a job got, its tokens read with the published keys."""

    def __init__(self, credentials: Any, keys: KeySet) -> None:
        self.files = credentials.files
        self.environment = credentials.environment
        self.terraform = {name: json.loads(text) for name, text in credentials.terraform.items()}
        self.vault = credentials.vault
        self.secrets = credentials.secrets
        self._keys = keys

    def claims(self, token: str) -> dict[str, Any]:
        return dict(jwt.decode(token, self._keys, algorithms=["RS256"]).claims)


async def made(platform: Platform, job: PhaseJob) -> Made:
    found = await make_credentials(platform.sessions, platform.keyring, job, public_url=URL)
    async with transaction(platform.sessions) as session:
        keys = {"keys": await issuer.public_keys(session)}
    return Made(found, KeySet.import_key_set(keys))  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_token_says_which_phase_of_which_workspace_it_is_of(
    platform: Platform, phase: Phase
) -> None:
    found = await made(platform, job_with(AWS, phase))
    claims = found.claims(found.files["workload-aws-token"])
    workspace = "organization:acme:project:Default Project:workspace:network"
    assert claims["sub"] == f"{workspace}:run_phase:{phase}"
    assert (claims["iss"], claims["aud"]) == (URL, "aws.workload.identity")
    assert claims["terraform_run_phase"] == phase
    assert claims["terraform_full_workspace"] == workspace
    assert (claims["terraform_workspace_id"], claims["terraform_run_id"]) == ("ws-1", "run-1")
    assert claims["exp"] - claims["iat"] == 7230


async def test_plan_and_apply_take_their_own_roles_or_the_one_of_the_run(
    platform: Platform,
) -> None:
    roles = AWS | {"TFC_AWS_PLAN_ROLE_ARN": f"{ROLE}-plan"}
    planned = await made(platform, job_with(roles))
    applied = await made(platform, job_with(roles, Phase.APPLY))
    assert planned.environment["AWS_ROLE_ARN"] == f"{ROLE}-plan"
    assert applied.environment["AWS_ROLE_ARN"] == ROLE
    assert f"role_arn={ROLE}\n" in applied.files["workload-aws-config"]
    assert applied.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] == "{files}/workload-aws-token"


async def test_azure_gets_its_client_and_its_token(platform: Platform) -> None:
    found = await made(
        platform, job_with({"TFC_AZURE_PROVIDER_AUTH": "true", "TFC_AZURE_RUN_CLIENT_ID": "c-1"})
    )
    assert found.environment["ARM_USE_OIDC"] == "true"
    assert found.environment["ARM_CLIENT_ID"] == "c-1"
    claims = found.claims(found.environment["ARM_OIDC_TOKEN"])
    assert claims["aud"] == "api://AzureADTokenExchange"
    assert found.files["workload-azure-token"] == found.environment["ARM_OIDC_TOKEN"]
    assert found.environment["ARM_OIDC_TOKEN"] in found.secrets


@pytest.mark.parametrize(
    "provider",
    [
        {
            "TFC_GCP_WORKLOAD_PROVIDER_NAME": "projects/1/locations/global/workloadIdentityPools/p"
            "/providers/l"
        },
        {
            "TFC_GCP_PROJECT_NUMBER": "1",
            "TFC_GCP_WORKLOAD_POOL_ID": "p",
            "TFC_GCP_WORKLOAD_PROVIDER_ID": "l",
        },
    ],
)
async def test_google_gets_an_external_account(
    platform: Platform, provider: dict[str, str]
) -> None:
    asked = {
        "TFC_GCP_PROVIDER_AUTH": "true",
        "TFC_GCP_RUN_SERVICE_ACCOUNT_EMAIL": "landform@acme.iam.gserviceaccount.com",
    }
    found = await made(platform, job_with(asked | provider))
    assert found.environment["GOOGLE_CREDENTIALS"] == "{files}/workload-gcp-credentials.json"
    account = json.loads(found.files["workload-gcp-credentials.json"])
    audience = (
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/l"
    )
    assert (account["type"], account["audience"]) == ("external_account", audience)
    assert account["credential_source"]["file"] == "{files}/workload-gcp-token"
    assert "landform@acme" in account["service_account_impersonation_url"]
    assert found.claims(found.files["workload-gcp-token"])["aud"] == audience


async def test_kubernetes_and_whoever_else_is_named_get_tokens_too(platform: Platform) -> None:
    found = await made(
        platform,
        job_with(
            {
                "TFC_KUBERNETES_PROVIDER_AUTH": "true",
                "TFC_WORKLOAD_IDENTITY_AUDIENCE": "somewhere",
                "TFC_WORKLOAD_IDENTITY_AUDIENCE_OTHER": "elsewhere",
            }
        ),
    )
    tokens = ("KUBE_TOKEN", "TFC_WORKLOAD_IDENTITY_TOKEN", "TFC_WORKLOAD_IDENTITY_TOKEN_OTHER")
    audiences = [found.claims(found.environment[name])["aud"] for name in tokens]
    assert audiences == ["kubernetes", "somewhere", "elsewhere"]


async def test_ways_with_a_tag_are_for_provider_blocks_with_an_alias(platform: Platform) -> None:
    found = await made(
        platform,
        job_with(
            AWS
            | {
                "TFC_AWS_PROVIDER_AUTH_EAST": "true",
                "TFC_AWS_RUN_ROLE_ARN_EAST": f"{ROLE}-east",
                "TFC_AWS_PROVIDER_AUTH_WEST": "true",
                "TFC_DEFAULT_AWS_RUN_ROLE_ARN": f"{ROLE}-default",
            }
        ),
    )
    assert found.environment["AWS_ROLE_ARN"] == ROLE
    assert found.terraform["tfc_aws_dynamic_credentials"] == {
        "default": {"shared_config_file": "{files}/workload-aws-config"},
        "aliases": {
            "EAST": {"shared_config_file": "{files}/workload-aws-EAST-config"},
            "WEST": {"shared_config_file": "{files}/workload-aws-WEST-config"},
        },
    }
    assert f"role_arn={ROLE}-east\n" in found.files["workload-aws-EAST-config"]
    assert f"role_arn={ROLE}-default\n" in found.files["workload-aws-WEST-config"]


async def test_terrakubes_switches_work_as_they_do_there(platform: Platform) -> None:
    found = await made(
        platform,
        job_with(
            {
                "ENABLE_DYNAMIC_CREDENTIALS_AWS": "true",
                "WORKLOAD_IDENTITY_ROLE_AWS": ROLE,
                "WORKLOAD_IDENTITY_AUDIENCE_AWS": "sts.amazonaws.com",
                "ENABLE_AWS_SESSION_TAGS": "true",
                "ENABLE_DYNAMIC_CREDENTIALS_AZURE": "true",
                "ARM_CLIENT_ID": "c-1",
            }
        ),
    )
    assert found.environment["AWS_ROLE_ARN"] == ROLE
    assert found.environment["ARM_CLIENT_ID"] == "c-1"
    claims = found.claims(found.files["workload-aws-token"])
    assert claims["aud"] == "sts.amazonaws.com"
    tags = claims["https://aws.amazon.com/tags"]["principal_tags"]
    assert tags["terrakube:workspace"] == ["network"]


async def test_terrakubes_switches_of_google_and_vault_work_as_they_do_there(
    platform: Platform,
) -> None:
    provider = "projects/1/locations/global/workloadIdentityPools/p/providers/landform"
    found = await made(
        platform,
        job_with(
            {
                "ENABLE_DYNAMIC_CREDENTIALS_GCP": "true",
                "WORKLOAD_IDENTITY_AUDIENCE_GCP": f"https://iam.googleapis.com/{provider}",
                "WORKLOAD_IDENTITY_SERVICE_ACCOUNT_EMAIL": "plan@acme.iam.gserviceaccount.com",
                "ENABLE_DYNAMIC_CREDENTIALS_VAULT": "true",
                "VAULT_ADDR": "https://vault.example.com",
                "WORKLOAD_IDENTITY_VAULT_ROLE": "landform",
                "WORKLOAD_IDENTITY_VAULT_AUTH_PATH": "jwt-landform",
                "WORKLOAD_IDENTITY_VAULT_AUDIENCE": "vault.acme",
            }
        ),
    )
    account = json.loads(found.files["workload-gcp-credentials.json"])
    assert account["audience"] == f"//iam.googleapis.com/{provider}"
    assert "plan@acme" in account["service_account_impersonation_url"]
    audience = found.claims(found.files["workload-gcp-token"])["aud"]
    assert audience == f"https://iam.googleapis.com/{provider}"
    login = found.vault
    assert (login.address, login.mount) == ("https://vault.example.com", "jwt-landform")
    assert (login.role, found.claims(login.jwt)["aud"]) == ("landform", "vault.acme")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TFC_AWS_PROVIDER_AUTH": "true"}, "TFC_AWS_RUN_ROLE_ARN"),
        ({"TFC_AWS_PROVIDER_AUTH_A": "true"}, "TFC_AWS_RUN_ROLE_ARN_A"),
        (AWS | {"TFC_AWS_RUN_ROLE_ARN": "a\ncredential_process=evil"}, "not the ARN"),
        ({"TFC_AZURE_PROVIDER_AUTH": "true"}, "TFC_AZURE_RUN_CLIENT_ID"),
        (
            {"TFC_GCP_PROVIDER_AUTH": "true", "TFC_GCP_RUN_SERVICE_ACCOUNT_EMAIL": "a@b"},
            "TFC_GCP_WORKLOAD_PROVIDER_NAME",
        ),
        ({"TFC_VAULT_PROVIDER_AUTH": "true"}, "TFC_VAULT_ADDR"),
        (
            {
                "TFC_VAULT_PROVIDER_AUTH": "true",
                "TFC_VAULT_ADDR": "https://vault.example.com",
                "TFC_VAULT_RUN_ROLE": "run",
                "TFC_VAULT_ENCODED_CACERT": "!",
            },
            "Base64",
        ),
        ({"TFC_VAULT_PROVIDER_AUTH_A": "true"}, "one Vault"),
    ],
)
def test_what_is_missing_or_wrong_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        list(wanted(job_with(environment)))


async def test_more_tokens_than_a_run_can_need_are_refused(platform: Platform) -> None:
    many = {f"TFC_WORKLOAD_IDENTITY_AUDIENCE_{n}": "somewhere" for n in range(21)}
    with pytest.raises(InvalidError, match="20 is the most"):
        await made(platform, job_with(many))


@pytest.mark.parametrize("value", ["false", "", "no"])
def test_a_switch_that_is_off_gives_nothing(value: str) -> None:
    assert not list(wanted(job_with(AWS | {"TFC_AWS_PROVIDER_AUTH": value})))


async def set_environment(world: World, key: str, value: str) -> None:
    settings = VariableSettings(key=key, value=value, category=Category.ENV)
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        await create_variable(session, world.platform.keyring, world.owner, workspace, settings)


async def test_an_attempt_that_begins_has_what_its_workspace_asks_for(world: World) -> None:
    await set_environment(world, "TFC_WORKLOAD_IDENTITY_AUDIENCE", "somewhere")
    world = replace(world, platform=replace(world.platform, public_url=URL))
    job = await world.must_begin(await world.create())
    assert job.credentials.environment["TFC_WORKLOAD_IDENTITY_TOKEN"] in job.credentials.secrets
    assert job.credentials.secrets[0] not in repr(job)


async def test_a_run_that_asks_for_what_no_cloud_could_check_ends_with_the_remedy(
    world: World,
) -> None:
    await set_environment(world, "TFC_WORKLOAD_IDENTITY_AUDIENCE", "somewhere")
    run_id = await world.create()
    assert await world.begin(run_id) is None
    assert await world.status(run_id) == "errored"
    assert b"set LANDFORM_PUBLIC_URL" in await world.log(run_id)
