"""A run's variables: terraform's in a file that nobody else may read, the others as environment.

TFE lets a workspace's variables win over every `*.auto.tfvars` of the configuration; a file named
with `-var-file` does, whatever it is called, and lies outside of what a configuration may pack up.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from landform.contract import Category, PhaseJob, Variable, is_reserved
from landform.execution.desk import Desk
from landform.execution.host import Host, Room
from landform.kit.errors import InvalidError
from landform.toolchain.versions import Tool

FILE_NAME: Final = "variables.tfvars"

_NAME: Final = re.compile(r"[^\W\d][\w-]*")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TRUST: Final = re.compile(
    r"(?:https?|all|no)_proxy|SSL_CERT_\w+|GIT_\w+|CURL_\w+|TF_TOKEN_.*|TF_REGISTRY_\w+|NETRC",
    re.IGNORECASE,
)
_LONGEST_IN_ENVIRONMENT: Final = 100_000  # of 131,072, name and NUL included
_ESCAPED: Final = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def as_tfvars(variables: Iterable[Variable]) -> str:
    """Return the terraform variables among `variables` as a tfvars file; the last of a name wins.

    Raises:
        InvalidError: a name that no variable can have.
    """
    lines: dict[str, str] = {}
    for variable in variables:
        if variable.category is Category.TERRAFORM:
            if not _NAME.fullmatch(variable.key):
                raise InvalidError(
                    f"A variable cannot be called {variable.key!r}. Use letters, digits, _ and -,"
                    " not a digit first."
                )
            value = variable.value.strip() if variable.hcl else hcl_string(variable.value)
            lines[variable.key] = f"{variable.key} = {value or 'null'}\n"
    return "".join(lines.values())


def hcl_string(text: str) -> str:
    """Return `text` as a quoted HCL string that means exactly `text`."""
    for plain, escaped in _ESCAPED:
        text = text.replace(plain, escaped)
    text = _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
    return '"' + text.replace("${", "$${").replace("%{", "%%{") + '"'


def write_tfvars(desk: Desk) -> Path:
    """Write the run's terraform variables for the child and return the file.

    Raises:
        InvalidError: a name that no variable can have.
    """
    made = (
        Variable(key=name, value=value, category=Category.TERRAFORM, hcl=True)
        for name, value in desk.purse.terraform.items()
    )
    return desk.room.give(FILE_NAME, as_tfvars([*desk.job.variables, *made]))


def changes_trust(variables: Iterable[Variable]) -> bool:
    """Tell whether the run decides itself whom it believes: then what it downloads stays its own.

    A proxy with a certificate of its own could hand out any provider under any name.
    """
    return any(
        variable.category is Category.ENV and _TRUST.fullmatch(variable.key)
        for variable in variables
    )


def environment(host: Host, room: Room, job: PhaseJob, made: Mapping[str, str]) -> dict[str, str]:
    """Return all of the child's environment: made from nothing, then ours over the run's own.

    Args:
        made: for this attempt: where its state is, and its short-lived credentials.

    Raises:
        InvalidError: a variable has a name that is reserved.
    """
    env = dict(host.inherited)
    for variable in job.variables:
        if variable.category is Category.ENV:
            if is_reserved(variable.key) or "\0" in variable.value:
                raise InvalidError(
                    f"The environment variable {variable.key!r} cannot be set: its name is"
                    " reserved, or its value has a NUL. Remove it from the workspace."
                )
            env[variable.key] = variable.value
    return {
        **env,
        **_names(job),
        **made,
        "PATH": _PATH,
        "HOME": room.inside(room.path / "home"),
        "TMPDIR": str(room.seen_tmp),
        "CHECKPOINT_DISABLE": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_CONFIG_FILE": room.inside(room.given / "cli.tfrc"),
        **(_for_tofu(job) if job.tool is Tool.TOFU else {}),
        "TFC_RUN_ID": job.run_id,
        "TFE_RUN_ID": job.run_id,
    }


def _names(job: PhaseJob) -> dict[str, str]:
    """Return what TFE tells a run of where it belongs."""
    organization, workspace = job.context.get("organization"), job.context.get("workspace")
    names = {
        "TFC_ORGANIZATION_NAME": organization,
        "TFC_PROJECT_NAME": job.context.get("project"),
        "TFC_WORKSPACE_NAME": workspace,
        "TFC_WORKSPACE_SLUG": f"{organization}/{workspace}" if organization and workspace else "",
    }
    return {name: value for name, value in names.items() if value}


def _for_tofu(job: PhaseJob) -> dict[str, str]:
    # tofu also reads variables for module sources and encryption, in commands without -var-file.
    return {
        f"TF_VAR_{variable.key}": variable.value
        for variable in job.variables
        if variable.category is Category.TERRAFORM
        and "\0" not in variable.value
        and len(variable.value.encode()) < _LONGEST_IN_ENVIRONMENT
    }
