"""What is said, in the form of each destination. Pure.

Sources: HCP Terraform's API page "notification-configurations" (payload versions 1 and 2); Slack's
"incoming webhooks" and "formatting text"; Microsoft's "Adaptive Cards" for Workflows webhooks.
Names and messages are strangers' words: they are escaped for Slack, and in no part of a card that
reads Markdown, so that they can neither call people nor show links that lead elsewhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any, Final

import msgspec

from landform.kit.clock import rfc3339
from landform.notifications.models import Destination
from landform.notifications.triggers import ASSESSMENTS, VERIFICATION, Trigger, message_of
from landform.runs.status import RunStatus

_MESSAGE_LIMIT: Final = 1000  # characters of a run's message
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_GOOD: Final = frozenset({RunStatus.APPLIED.value, RunStatus.PLANNED_AND_FINISHED.value})


@dataclass(frozen=True, kw_only=True)
class Told:
    """The run that is told of.

    Attributes:
        created_by: a username; empty when no user made it.
        url: of its page; empty while the platform does not know its own address.
        error: why it ended, for a person.
        counts: what its plan adds, changes and destroys; None before it is planned.
    """

    id: str
    message: str
    created_at: datetime
    created_by: str
    url: str
    error: str = ""
    counts: tuple[int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Story:
    """All that can be said of one delivery.

    Attributes:
        status: of the run, when it happened.
        by: who made it happen; empty when no user did.
        run: None of a verification.
        configuration_url: of the configuration in the API; empty while the address is not known.
        drifted: how many objects, when it is about drift.
    """

    configuration_id: str
    configuration_name: str
    configuration_url: str
    trigger: str
    status: str
    happened_at: datetime
    by: str
    workspace_id: str
    workspace: str
    organization: str
    run: Told | None = None
    drifted: int = 0

    @property
    def message(self) -> str:
        """What a notification says first."""
        return message_of(self.trigger, self.status)

    @property
    def place(self) -> str:
        """The workspace, with its organization."""
        return f"{self.organization}/{self.workspace}"


def body_of(story: Story, destination: Destination) -> bytes:
    """Return what is posted, as JSON.

    Raises:
        ValueError: nothing is posted to `destination`.
    """
    return msgspec.json.encode(_BODIES[destination](story))


def mail_of(story: Story, *, sender: str) -> EmailMessage:
    """Return the mail, without recipients: they are told to the server alone."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = "undisclosed-recipients:;"
    mail["Subject"] = _line(f"{story.message}: {story.place}")
    mail["Auto-Submitted"] = "auto-generated"
    lines = [f"{story.message}: {story.place}", ""]
    lines += [f"{name}: {value}" for name, value in _facts(story)]
    link = story.run.url if story.run else ""
    lines += ["", link] if link else []
    lines += ["", f"Sent by the notification configuration {_line(story.configuration_name)}."]
    mail.set_content("\n".join(lines))
    return mail


def _generic(story: Story) -> Mapping[str, Any]:
    return _assessment(story) if story.trigger in ASSESSMENTS else _run(story)


def _run(story: Story) -> Mapping[str, Any]:
    """Payload version 1. A verification has the same parts, with nothing of a run in them."""
    run = story.run
    at = rfc3339(story.happened_at)
    return {
        "payload_version": 1,
        "notification_configuration_id": story.configuration_id,
        "run_url": run.url if run else None,
        "run_id": run.id if run else None,
        "run_message": run.message if run else None,
        "run_created_at": rfc3339(run.created_at) if run else None,
        "run_created_by": (run.created_by or None) if run else None,
        "workspace_id": story.workspace_id,
        "workspace_name": story.workspace,
        "organization_name": story.organization,
        "notifications": [
            {
                "message": story.message,
                "trigger": story.trigger,
                "run_status": story.status if run else None,
                "run_updated_at": at if run else None,
                "run_updated_by": (story.by or None) if run else None,
            }
        ],
    }


def _assessment(story: Story) -> Mapping[str, Any]:
    """Payload version 2; of an assessment, what this platform can tell: there are no check counts.

    An assessment is a plan here, so that its id and address are those of the run.
    """
    run = story.run
    result = run and {
        "id": run.id,
        "url": run.url,
        "succeeded": story.trigger != Trigger.ASSESSMENT_FAILED,
        "drifted": story.trigger == Trigger.DRIFTED,
        "resources_drifted": story.drifted,
        "created_at": rfc3339(story.happened_at),
    }
    return {
        "payload_version": "2",
        "notification_configuration_id": story.configuration_id,
        "notification_configuration_url": story.configuration_url,
        "trigger_scope": "assessment",
        "trigger": story.trigger,
        "message": story.message,
        "details": {
            "new_assessment_result": result,
            "prior_assessment_result": None,
            "workspace_id": story.workspace_id,
            "workspace_name": story.workspace,
            "organization_name": story.organization,
        },
    }


def _slack(story: Story) -> Mapping[str, Any]:
    title = _slack_text(f"{story.message}: {story.place}")
    attachment: dict[str, Any] = {
        "fallback": title,
        "color": _color(story),
        "title": title,
        "fields": [
            {"title": name, "value": _slack_text(value), "short": len(value) < 40}  # noqa: PLR2004
            for name, value in _facts(story)
        ],
        "mrkdwn_in": [],
    }
    if story.run and story.run.url:
        attachment["title_link"] = story.run.url
    return {"text": "", "attachments": [attachment]}


def _teams(story: Story) -> Mapping[str, Any]:
    body: list[Mapping[str, Any]] = [
        _words(f"{story.message}: {story.place}", weight="Bolder", size="Medium"),
        *(_words(f"{name}: {value}") for name, value in _facts(story)),
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if story.run and story.run.url:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": "Open the run", "url": story.run.url}
        ]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _words(text: str, **look: str) -> Mapping[str, Any]:
    """Rich text shows what it is given; a plain text block would read it as Markdown."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _facts(story: Story) -> list[tuple[str, str]]:
    run = story.run
    if run is None:
        return [
            ("Workspace", story.place),
            ("Configuration", _line(story.configuration_name)),
            ("What this is", "A test: what happens to runs will be told here."),
        ]
    facts = [("Run", run.id), ("Message", _cut(run.message))]
    if story.drifted:
        facts.append(("Changed outside of Terraform", str(story.drifted)))
    elif run.counts is not None:
        add, change, destroy = run.counts
        facts.append(("Plan", f"{add} to add, {change} to change, {destroy} to destroy"))
    if run.error:
        facts.append(("Reason", _cut(run.error)))
    if story.by:
        facts.append(("By", story.by))
    return [(name, value) for name, value in facts if value]


def _color(story: Story) -> str:
    if story.trigger in (Trigger.ERRORED, Trigger.ASSESSMENT_FAILED):
        return "danger"
    if story.trigger in (Trigger.NEEDS_ATTENTION, Trigger.DRIFTED):
        return "warning"
    is_good = story.status in _GOOD or story.trigger == VERIFICATION
    return "good" if is_good else "#7f8a99"


def _slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[:_MESSAGE_LIMIT]}…"


def _line(text: str) -> str:
    return " ".join(_cut(text).split())


_BODIES: Final = {
    Destination.GENERIC: _generic,
    Destination.SLACK: _slack,
    Destination.MICROSOFT_TEAMS: _teams,
}
