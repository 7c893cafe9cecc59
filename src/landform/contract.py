"""What the control plane and whoever runs a phase say to each other. No database, no HTTP.

A worker speaks to the control plane in its own process, an agent by HTTP (`landform.api.agent`).

A phase is a plan or an apply. Each attempt at one has an epoch; every write of the attempt
carries it and is refused with LostLeaseError once a later attempt began or the phase ended.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from landform.kit.errors import ConflictError
from landform.toolchain.versions import Tool


class LostLeaseError(ConflictError):
    """The attempt is no longer the phase's own: whatever it still has to say comes too late."""


class Phase(StrEnum):
    """What is to be done."""

    PLAN = "plan"
    APPLY = "apply"


class Category(StrEnum):
    """Where a variable goes."""

    TERRAFORM = "terraform"
    ENV = "env"


RESERVED: Final = frozenset(
    {
        *("BASHOPTS", "BASH_ENV", "ENV", "GCONV_PATH", "GLIBC_TUNABLES", "HOME", "IFS", "LOCPATH"),
        *("LOGNAME", "PATH", "PROMPT_COMMAND", "PS4", "PWD", "SHELL", "SHELLOPTS", "SSH_ASKPASS"),
        *("TMPDIR", "USER", "CHECKPOINT_DISABLE"),
        *("TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_INPUT", "TF_IN_AUTOMATION", "TF_WORKSPACE"),
        *("TF_FORCE_LOCAL_BACKEND", "TF_LOG_PATH", "TF_REATTACH_PROVIDERS", "TF_TEMP_LOG_PATH"),
        *("TFE_RUN_ID", "TFC_RUN_ID", "TFC_WORKSPACE_NAME", "TFC_WORKSPACE_SLUG"),
        *("TFC_ORGANIZATION_NAME", "TFC_PROJECT_NAME"),
    }
)
"""Names of the run's environment that the runner sets itself, or that would change the runner."""

RESERVED_PREFIXES: Final = (
    *("BASH_FUNC_", "DYLD_", "GIT_", "LANDFORM_", "LD_"),
    *("TF_CLI_ARGS", "TF_CLOUD_", "TF_HTTP_", "TF_PLUGIN_CACHE_"),
)

_GIT_ALLOWED: Final = (
    *("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"),
    *("GIT_HTTP_", "GIT_SSL_", "GIT_TRACE", "GIT_CURL_VERBOSE"),
)
"""Of git's, whose other variables name programs to run: credentials for modules go this way."""


def is_reserved(name: str) -> bool:
    """Tell whether an environment variable of a run may not be called `name`.

    True as well for what no process could be given: an empty name, or one with `=` or NUL in it.
    """
    return (
        not name
        or "=" in name
        or "\0" in name
        or name in RESERVED
        or (name.startswith(RESERVED_PREFIXES) and not name.startswith(_GIT_ALLOWED))
    )


class Artefact(StrEnum):
    """A file that outlives the phase."""

    CONFIGURATION = "configuration"  # tar.gz, as the client uploaded it
    STATE = "state"  # raw state, as terraform wrote it
    PLAN = "plan"  # the binary plan file
    LOCK_FILE = "lock-file"  # .terraform.lock.hcl as it was after init
    PLAN_JSON = "plan-json"  # `show -json` of the plan file; holds secrets in clear
    PLAN_JSON_REDACTED = "plan-json-redacted"  # what TFE calls json-output-redacted
    PROVIDER_SCHEMAS = "provider-schemas"  # `providers schema -json`
    GENERATED_CONFIGURATION = "generated-configuration"  # of `plan -generate-config-out`


class LogStream(StrEnum):
    """The two logs of one phase."""

    TEXT = "text"  # for people and older clients
    JSON = "json"  # terraform's JSON lines, for clients that render themselves


class Message(BaseModel):
    """Parent of everything that crosses the line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(Message):
    """One input of the run, its value in clear."""

    key: str
    value: str = Field(repr=False)
    category: Category
    hcl: bool = False
    sensitive: bool = False


class PlanOptions(Message):
    """What was asked of the plan."""

    is_destroy: bool = False
    refresh: bool = True
    refresh_only: bool = False
    target_addrs: Sequence[str] = ()
    replace_addrs: Sequence[str] = ()
    allow_config_generation: bool = False


class VaultLogin(Message):
    """How the runner gets a Vault or OpenBao token for the attempt, and whom it tells.

    Attributes:
        address: of the server, without a trailing slash.
        mount: of the JWT method, such as `jwt`.
        authority: PEM of who signed the server's certificate; empty for the system's trust.
    """

    address: str
    mount: str
    role: str
    namespace: str = ""
    authority: str = ""
    jwt: str = Field(repr=False)


CREDENTIAL_FILES: Final = "{files}"


class Credentials(Message):
    """What was made for one attempt alone, to be gone with it.

    In the values of `environment` and `terraform`, CREDENTIAL_FILES stands for the directory in
    which the child finds `files`.

    Attributes:
        files: by name, for the child to read.
        terraform: HCL by the name of a variable.
        secrets: what may not be shown, wherever in the others it is.
    """

    files: dict[str, str] = Field(default_factory=dict, repr=False)
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    terraform: dict[str, str] = Field(default_factory=dict, repr=False)
    secrets: Sequence[str] = Field(default=(), repr=False)
    vault: VaultLogin | None = None

    def with_more(self, more: "Credentials") -> "Credentials":
        """Return both together; of what has the same name, that of `more`."""
        return Credentials(
            files=self.files | more.files,
            environment=self.environment | more.environment,
            terraform=self.terraform | more.terraform,
            secrets=(*self.secrets, *more.secrets),
            vault=more.vault or self.vault,
        )


class Attempt(Message):
    """Which attempt at which phase: what each call of it is about.

    Attributes:
        phase_id: `plan-…` or `apply-…`.
        epoch: number of this attempt, from 1; never reused.
        lease_s: seconds the attempt may go unrenewed before another takes over.
    """

    phase_id: str
    phase: Phase
    run_id: str
    workspace_id: str
    epoch: int
    lease_s: float


class PhaseJob(Attempt):
    """One attempt at one phase, with everything that is not a file.

    Attributes:
        version: exact version of the tool, such as `1.11.4`.
        working_directory: relative to the root of the configuration; empty for the root itself.
        timeout_s: seconds the phase may take before it is interrupted.
        grace_s: seconds between an interrupt and the next, harder one.
        context: names for the run's environment and messages (organization, project, workspace).
        token: what the tool shows to the platform while the attempt lasts; empty for none.
        credentials: for the clouds that the run works on, and the servers its modules are on.
        notice: what the log says first; empty: nothing.
    """

    tool: Tool
    version: str
    working_directory: str = ""
    options: PlanOptions = PlanOptions()
    variables: Sequence[Variable] = ()
    timeout_s: float = 7200.0
    grace_s: float = 30.0
    context: dict[str, str] = {}
    token: str = Field(default="", repr=False)
    credentials: Credentials = Credentials()
    notice: str = ""


class Stop(StrEnum):
    """How an attempt is told to end."""

    NO = "no"
    INTERRUPT = "interrupt"  # let terraform end by itself, then press harder
    KILL = "kill"  # at once


class Orders(Message):
    """The answer to a renewal."""

    stop: Stop = Stop.NO


class Counts(Message):
    """Resources by what is or was done to them.

    Attributes:
        drifted: those that a plan found changed or gone, and not by terraform.
    """

    additions: int = 0
    changes: int = 0
    destructions: int = 0
    imports: int = 0
    drifted: int = 0


class Created(Message):
    """An object that terraform reported as made; `id_value` is empty when it gave none."""

    address: str
    id_value: str = ""
    action: str = "create"


class Outcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    ERRORED = "errored"
    CANCELED = "canceled"


class PhaseResult(Message):
    """The last word of an attempt.

    Attributes:
        error: what went wrong and what would be right, for a person; empty when nothing did.
        has_changes: plan only: the plan would change a resource or an output.
        maybe_not_in_state: objects made after the newest state that reached the platform.
        state_in_doubt: the workspace's state may not tell all that the apply did.
    """

    outcome: Outcome
    counts: Counts = Counts()
    has_changes: bool = False
    error: str = ""
    maybe_not_in_state: Sequence[Created] = ()
    state_in_doubt: bool = False


class Introduction(Message):
    """What an agent says of itself, again and again as long as it lives.

    Attributes:
        sandbox: what keeps its runs apart: `bubblewrap` or `none`.
        slots: phases it does at a time.
    """

    name: str = Field(max_length=100)
    version: str = Field(default="", max_length=100)
    sandbox: str = Field(default="", max_length=100)
    slots: int = Field(default=1, ge=1, le=256)


class Welcome(Message):
    """The answer to an introduction.

    Attributes:
        every_s: seconds after which the agent is to say again that it lives.
    """

    agent_id: str
    pool: str
    every_s: float


class Offer(Message):
    """A phase that waits for an agent.

    Attributes:
        version: as it was asked for: exact, a constraint, or `latest`.
    """

    phase_id: str
    tool: Tool
    version: str


class Choice(Message):
    """What an agent takes an offer with: an exact version it can have, or why it can have none."""

    version: str = Field(default="", max_length=100)
    problem: str = Field(default="", max_length=2000)


class ControlPlane(Protocol):
    """What a phase needs of the platform; every call may raise LostLeaseError or UnavailableError.

    UnavailableError means "try again": the caller decides how long.
    """

    async def renew(self, job: PhaseJob) -> Orders:
        """Keep the lease for another `lease_s` and hear whether to stop."""
        ...

    async def wait_for_orders(self, job: PhaseJob, *, timeout_s: float) -> None:
        """Return when orders may have come, at the latest after `timeout_s`; never raises."""
        ...

    async def fetch(self, job: PhaseJob, artefact: Artefact) -> bytes | None:
        """Read an input of the phase; None when there is none (no state yet, no lock file)."""
        ...

    async def put(self, job: PhaseJob, artefact: Artefact, data: bytes) -> None:
        """Keep an output of the phase."""
        ...

    async def append_log(self, job: PhaseJob, stream: LogStream, offset: int, data: bytes) -> None:
        """Add `data` at `offset` bytes from the phase's first log byte; a repeat is a no-op."""
        ...

    async def put_state(self, job: PhaseJob, state: bytes, *, final: bool) -> None:
        """Make `state` the workspace's newest; a snapshot during an apply is not `final`.

        Raises:
            ConflictError: the lineage is another or the serial is not newer.
        """
        ...

    async def offer_state(self, job: PhaseJob, state: bytes) -> None:
        """Keep a state that came too late or was refused, beside the others, for a person.

        The one call that an attempt may still make after it lost its lease.
        """
        ...

    async def report_created(self, job: PhaseJob, created: Sequence[Created]) -> None:
        """Say which objects were made since the newest state that reached the platform."""
        ...

    async def finish(self, job: PhaseJob, result: PhaseResult) -> None:
        """End the attempt; a repeat with the same epoch is a no-op."""
        ...

    async def forfeit(self, job: PhaseJob) -> None:
        """Say that the attempt's process ends before its phase does."""
        ...
