"""What a worker that died left: states to hand over, directories and processes to remove."""

import shutil

import structlog

from landform.contract import ControlPlane
from landform.execution import processes
from landform.execution.disk import remove_tree
from landform.execution.host import Host
from landform.execution.keeper import offer
from landform.execution.spool import read_leftover

log = structlog.get_logger()


async def recover_spool(host: Host, plane: ControlPlane) -> int:
    """Offer the platform every state that is only here; call it before the first phase.

    What it does not take stays for the next time. Directories of dead attempts are removed, and
    what still runs in them is ended.

    The host's root must be this worker's alone.

    Returns:
        How many states stay.
    """
    # Bubblewrap's child waits for its parent before it ties its life to it: a worker that is killed
    # in that moment leaves it waiting for ever.
    processes.kill(processes.working_below(host.phases))
    staying = 0
    for path in sorted(host.spool.glob("*")):
        try:
            job, states = read_leftover(path)
        except (OSError, ValueError) as error:
            log.warning("Not a state to hand over", path=str(path), error=str(error))
            continue
        taken = [
            await offer(job, plane, state.read_bytes(), patience_s=host.clock.farewell_s)
            for state in states
        ]
        if all(taken):
            shutil.rmtree(path)
        staying += taken.count(False)
    for path in host.phases.glob("*"):
        remove_tree(path)
    return staying
