"""Who was given secrets, and which: told in the audit trail by their names."""

from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import PhaseJob
from landform.identity.actor import SYSTEM
from landform.kit import events
from landform.runs.events import SecretsGiven
from landform.workspaces.models import Workspace


def tell_given(session: AsyncSession, job: PhaseJob, workspace: Workspace) -> None:
    """Tell of the sensitive variables and the SSH key that the attempt has, if it has any."""
    variables = tuple(sorted({each.key for each in job.variables if each.sensitive}))
    ssh_key_id = (workspace.ssh_key_id or "") if job.credentials.secrets else ""
    if variables or ssh_key_id:
        _tell(session, job, variables=variables, ssh_key_id=ssh_key_id)


def tell_signed(session: AsyncSession, job: PhaseJob, audiences: list[str]) -> None:
    """Tell for whom identity tokens of the attempt were signed, if any were."""
    if audiences:
        _tell(session, job, audiences=tuple(audiences))


def _tell(
    session: AsyncSession,
    job: PhaseJob,
    *,
    variables: tuple[str, ...] = (),
    ssh_key_id: str = "",
    audiences: tuple[str, ...] = (),
) -> None:
    events.publish(
        session,
        SecretsGiven(
            actor_id=SYSTEM.id,
            organization_id=job.context["organization_id"],
            subject_id=job.run_id,
            workspace_id=job.workspace_id,
            phase_id=job.phase_id,
            phase=job.phase.value,
            variables=variables,
            ssh_key_id=ssh_key_id,
            audiences=audiences,
        ),
    )
