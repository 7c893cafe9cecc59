"""The variables that a run uses: looked up when its plan begins, and the same ones to its end.

What is changed meanwhile, in the workspace or in a variable set, is of the next run.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Category, Variable
from landform.kit.crypto import Keyring
from landform.runs import creation
from landform.runs.creation import RunVariable
from landform.runs.models import Run, RunInputs
from landform.variables import queries as variables
from landform.variables.queries import Given
from landform.workspaces.models import Workspace

_USED: Final = TypeAdapter(list[Variable])


async def of_run(
    session: AsyncSession, keyring: Keyring, workspace: Workspace, run: Run
) -> list[Variable]:
    """Return the run's variables in clear, for its phases and for nobody else.

    The first call keeps them beside the run, encrypted; `moves.move` drops them once it is over.
    """
    place = f"runs/{run.id}/used-variables"
    kept = await session.get(RunInputs, run.id)
    if kept is not None:
        return _USED.validate_json(keyring.open(kept.sealed_variables, place=place))
    configured = await variables.for_run(session, keyring, workspace)
    used = merged(configured, creation.open_variables(keyring, run))
    sealed = keyring.seal(_USED.dump_json(used), place=place)
    session.add(RunInputs(run_id=run.id, sealed_variables=sealed))
    return used


def merged(configured: Sequence[Given], own: Sequence[RunVariable]) -> list[Variable]:
    """Return what is configured with what was given with the run, which only priority beats."""
    fixed = {
        each.variable.key
        for each in configured
        if each.beats_command_line and each.variable.category is Category.TERRAFORM
    }
    given = {each.key: each for each in own if each.key not in fixed}
    return [
        *(
            each.variable
            for each in configured
            if each.variable.category is Category.ENV or each.variable.key not in given
        ),
        *(
            Variable(key=one.key, value=one.value, category=Category.TERRAFORM, hcl=True)
            for one in given.values()
        ),
    ]
