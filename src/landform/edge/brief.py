"""Who is calling, asked in a transaction of its own: for routes that wait for other servers.

A request's session holds one transaction until the answer is sent, and that may wait for nothing
but the database.
"""

from typing import Annotated

from fastapi import Depends, Request

from landform.edge.deps import bearer_of, process_of
from landform.identity import tokens
from landform.identity.actor import Actor
from landform.kit.db import transaction


async def authenticated_briefly(request: Request) -> Actor:
    """Return whose token the request shows; raises what `authenticated` does."""
    secret = bearer_of(request)
    async with transaction(process_of(request).platform.sessions) as session:
        actor = await tokens.authenticate(session, secret)
    request.state.actor = actor  # for whoever tells of a refusal
    return actor


BriefActor = Annotated[Actor, Depends(authenticated_briefly)]
