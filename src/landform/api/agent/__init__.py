"""The agents' protocol, version 1: plans and applies on machines that reach only this API.

Every request shows a token of an agent pool, `Authorization: Bearer lfa_…`, which opens nothing
else, and the agent's own secret, `Landform-Agent: …`, 43 or more random characters that it made
itself. The token says which pool, the secret which agent: what one has taken is hidden from the
others. Bodies are JSON by the types of `landform.contract`, or bytes where a file is meant.
All paths are below `/api/agent/v1`:

    PUT    /agent                    Introduction → Welcome; again every `every_s` seconds
    DELETE /agent?how=exited         the agent ends (`errored`: by a fault of its own)
    GET    /jobs?wait_s=25           Offer, at once or when there is one; 204 after `wait_s`
    POST   /jobs/{phase}/lease       Choice → PhaseJob; 204: another was quicker, or it is no more

and of an attempt the agent holds, below `/attempts/{phase}/{epoch}`:

    POST   /renew                    → Orders; before `lease_s` seconds are over, again and again
    GET    /orders?wait_s=2          204 when there may be orders, at the latest after `wait_s`
    GET    /inputs/{artefact}        bytes; 204: there is none
    PUT    /outputs/{artefact}       bytes
    PUT    /logs/{stream}?offset=0   bytes, from the attempt's first; a repeat changes nothing
    PUT    /state?final=false        bytes: the newest state
    POST   /offered-states           bytes: a state that came too late, or was refused
    PUT    /created                  the list of `Created` since the newest state
    POST   /finish                   PhaseResult; a repeat changes nothing
    POST   /forfeit                  the process ends before its phase does

An agent of another version than the platform is let in no more (`conflict`): it could take what it
cannot read. What it had taken before it may still end.

What is refused is answered with `{"kind": …, "message": …}`. Kind `lost-lease` (409) says that the
attempt is not the agent's any more: it stops what runs and writes nothing but offered states.
`unavailable` (503) and whatever else is 5xx says: the same again, a little later. A token that is
withdrawn or expires is refused at once (401), also in the middle of a phase: the lease then runs
out, and what becomes of the phase is what becomes of any whose worker is gone.
"""

from fastapi import APIRouter

from landform.api.agent import attempts, jobs
from landform.api.agent.door import PREFIX, error_response

__all__ = ["PREFIX", "error_response", "router"]

router = APIRouter(prefix=PREFIX, include_in_schema=False)
router.include_router(attempts.router)
router.include_router(jobs.router)
