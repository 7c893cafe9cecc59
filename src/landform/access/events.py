"""What happens to teams, their members and their grants."""

from dataclasses import dataclass

from landform.kit.events import Event


@dataclass(frozen=True, kw_only=True)
class TeamCreated(Event):
    """A team was made; its subject is the team."""

    name: str
    organization_access: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TeamUpdated(Event):
    """A team's name, visibility or switches changed; `changed` names which."""

    changed: tuple[str, ...]
    organization_access: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TeamDeleted(Event):
    """A team, its grants and its tokens are gone."""

    name: str


@dataclass(frozen=True, kw_only=True)
class TeamMembersAdded(Event):
    """Users joined a team."""

    user_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TeamMembersRemoved(Event):
    """Users left a team."""

    user_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MemberAdded(Event):
    """A user belongs to the organization; the subject is the membership."""

    user_id: str


@dataclass(frozen=True, kw_only=True)
class MemberRemoved(Event):
    """A user no longer belongs to the organization nor to any team of it."""

    user_id: str


@dataclass(frozen=True, kw_only=True)
class MemberInvited(Event):
    """Somebody without an account was invited; the subject is the invitation."""

    invitee: str
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InvitationRevoked(Event):
    """An invitation was withdrawn before anybody used it."""

    invitee: str


@dataclass(frozen=True, kw_only=True)
class InvitationAccepted(Event):
    """Whoever had the link of an invitation made an account by it."""

    invitee: str
    user_id: str


@dataclass(frozen=True, kw_only=True)
class AccessGranted(Event):
    """A team may do something on a workspace or project; the subject is the grant."""

    team_id: str
    place_id: str
    level: str


@dataclass(frozen=True, kw_only=True)
class AccessChanged(Event):
    """What a team may do on a workspace or project is another set than before."""

    team_id: str
    place_id: str
    level: str


@dataclass(frozen=True, kw_only=True)
class AccessWithdrawn(Event):
    """A team may do nothing more on a workspace or project by this grant."""

    team_id: str
    place_id: str


@dataclass(frozen=True, kw_only=True)
class ApprovalRuleChanged(Event):
    """Whose approval runs of a workspace need is other than before; the subject is the workspace.

    `changes` has how many, and of which teams.
    """


@dataclass(frozen=True, kw_only=True)
class AccessDenied(Event):
    """Somebody asked for what they may not do; the subject is the place they asked it of."""

    permission: str
    method: str
    path: str
