"""What is said of a phase that was stopped."""

from landform.contract import Outcome, Phase, PhaseJob, PhaseResult
from landform.execution.halt import Cause
from landform.execution.host import Host

_CANCELED = frozenset({Cause.CANCELED, Cause.FORCED})


def stopped(job: PhaseJob, host: Host, cause: Cause) -> PhaseResult:
    """Return how a phase that was stopped for `cause` ended."""
    outcome = Outcome.CANCELED if cause in _CANCELED else Outcome.ERRORED
    return PhaseResult(outcome=outcome, error=reason(job, host, cause))


def reason(job: PhaseJob, host: Host, cause: Cause) -> str:
    """Return why, and what would be right; empty when a person wanted it and nothing is lost."""
    name = str(job.phase)
    texts = {
        Cause.CANCELED: "",
        Cause.STATE_REFUSED: "The platform did not take the state.",
        Cause.TIMEOUT: (
            f"The {name} took longer than {job.timeout_s:g} seconds and was stopped. Split the"
            " configuration, or raise the limit."
        ),
        Cause.MEMORY: (
            f"The {name} needed more than {host.memory_bytes} bytes of memory and was stopped."
            " Split the configuration, lower its parallelism, or raise the worker's limit."
        ),
        Cause.DISK: (
            f"The {name} wrote more than {host.disk_bytes} bytes and was stopped. Let it write"
            " less, or raise the worker's limit."
        ),
        Cause.FORCED: (
            f"The {name} was ended by force, so terraform could not tidy up."
            + (
                " Look for objects that the state does not hold."
                if job.phase is Phase.APPLY
                else ""
            )
        ),
        Cause.UNHEARD: (
            f"The worker did not reach the platform for {host.clock.fence_s(job):g} seconds"
            f" and stopped the {name}, lest another worker do the same. See that they reach each"
            " other."
        ),
        Cause.LOST: f"Another attempt has taken over the {name}, or it is over.",
    }
    return texts[cause]
