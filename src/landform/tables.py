"""Imports every models module, so that the mapper and Alembic know every table.

And what is to be written along with a row of some table, in every process that writes any.
"""

from landform.access import models as access
from landform.agents import models as agents
from landform.audit import models as audit
from landform.configurations import models as configurations
from landform.directories import models as directories
from landform.dispatch import models as dispatch
from landform.federation import models as federation
from landform.fleet import models as fleet
from landform.identity import models as identity
from landform.kit import events, key_check
from landform.kit.db import Base
from landform.logs import models as logs
from landform.notifications import enqueuing
from landform.notifications import models as notifications
from landform.organizations import models as organizations
from landform.runs import models as runs
from landform.schedules import models as schedules
from landform.ssh_keys import models as ssh_keys
from landform.states import models as states
from landform.triggers import models as triggers
from landform.variables import models as variables
from landform.vcs import models as vcs
from landform.workspaces import models as workspaces

METADATA = Base.metadata

__all__ = [
    "METADATA",
    "access",
    "agents",
    "audit",
    "configurations",
    "directories",
    "dispatch",
    "enqueuing",
    "events",
    "federation",
    "fleet",
    "identity",
    "key_check",
    "logs",
    "notifications",
    "organizations",
    "runs",
    "schedules",
    "ssh_keys",
    "states",
    "triggers",
    "variables",
    "vcs",
    "workspaces",
]
