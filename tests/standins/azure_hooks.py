"""Azure DevOps Services, service hooks: subscriptions, and the sender with its retry table."""

import base64
import ipaddress
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from tests.standins.azure_git import collection
from tests.standins.azure_world import Identity, Organization, Subscription, guid, stamp
from tests.standins.serving import Answer, Refusal, Request, json_answer
from tests.standins.threads import Threads

EVENTS: Final = frozenset(
    {
        "git.push",
        "git.pullrequest.created",
        "git.pullrequest.updated",
        "git.pullrequest.merged",
        "ms.vss-code.git-pullrequest-comment-event",
    }
)
# Seconds before each retry of a transient failure.
_TRANSIENT: Final = frozenset({408, 502, 503, 504})
_RETRIES_S: Final = (1, 2, 4, 8, 16, 32, 60, 60)
_TERMINAL: Final = 410
_PROBATION: Final = (*(timedelta(minutes=20 * 2**n) for n in range(6)), timedelta(hours=15))
_SECRET_INPUTS: Final = frozenset({"basicAuthPassword"})
_MASK: Final = "********"
_TIMEOUT_S: Final = 20.0


class Subscriptions:
    """The REST side.

    Attributes:
        accepts_loopback: take URLs that the service would refuse, for a receiver that cannot
            be given a public name.
        needs_https: refuse plain HTTP with basic authentication, as the service does.
    """

    def __init__(self) -> None:
        self.accepts_loopback = True
        self.needs_https = False

    def create(self, organization: Organization, request: Request, who: Identity) -> Answer:
        document = request.json()
        self._require_right(organization, who, document)
        made = Subscription(guid(), {}, {})
        self._fill(made, organization, document, who)
        organization.subscriptions[made.id] = made
        return json_answer(made.json())

    def replace(
        self, organization: Organization, id_: str, request: Request, who: Identity
    ) -> Answer:
        """Take the whole object; a masked password is taken for the password it is."""
        found = self.find(organization, id_)
        document = request.json()
        self._require_right(organization, who, document)
        self._fill(found, organization, document, who)
        if document.get("status") in ("enabled", None):
            found.status, found.probation_retries = "enabled", 0
        else:
            found.status = document["status"]
        return json_answer(found.json())

    def delete(self, organization: Organization, id_: str, who: Identity) -> Answer:
        found = self.find(organization, id_)
        self._require_right(organization, who, found.document)
        del organization.subscriptions[id_]
        return Answer(204)

    def find(self, organization: Organization, id_: str) -> Subscription:
        found = organization.subscriptions.get(id_)
        if found is None:
            raise Refusal(
                404,
                f"VS402902: The subscription with id {id_} does not exist.",
                "SubscriptionNotFoundException",
            )
        return found

    def listed(self, organization: Organization, request: Request, who: Identity) -> Answer:
        wanted = {
            name: request.query[name]
            for name in ("publisherId", "eventType", "consumerId", "consumerActionId")
            if name in request.query
        }
        return json_answer(collection(self._matching(organization, wanted, {}, who)))

    def query(self, organization: Organization, request: Request, who: Identity) -> Answer:
        """Answer `subscriptionsquery`: the same object, with `results`."""
        document = request.json()
        wanted = {
            name: document[name]
            for name in ("publisherId", "eventType", "consumerId")
            if document.get(name)
        }
        inputs = {
            condition["inputId"]: condition["inputValue"]
            for one in document.get("publisherInputFilters") or []
            for condition in one.get("conditions") or []
        }
        results = self._matching(organization, wanted, inputs, who)
        return json_answer(document | {"results": results})

    def _matching(
        self,
        organization: Organization,
        wanted: Mapping[str, str],
        inputs: Mapping[str, str],
        who: Identity,
    ) -> list[dict[str, Any]]:
        if who.id not in organization.hook_rights:
            return []  # not allowed to view is not an error but nothing
        return [
            one.json()
            for one in organization.subscriptions.values()
            if all(one.document.get(name) == value for name, value in wanted.items())
            and all(one.inputs.get(name) == value for name, value in inputs.items())
        ]

    def _require_right(self, organization: Organization, who: Identity, document: Any) -> None:
        if who.id in organization.hook_rights:
            return
        project_id = (document.get("publisherInputs") or {}).get("projectId")
        raise Refusal(
            403,
            f"TF400813: The user '{who.name}' does not have permission to edit subscriptions"
            f" (PublisherSecurity/{project_id}).",
            "AccessCheckException",
        )

    def _fill(
        self, made: Subscription, organization: Organization, document: Any, who: Identity
    ) -> None:
        inputs = dict(document.get("consumerInputs") or {})
        publisher_inputs = dict(document.get("publisherInputs") or {})
        self._check(document, inputs, publisher_inputs)
        for name in _SECRET_INPUTS & inputs.keys():
            if inputs[name] != _MASK:
                made.secrets[name] = inputs[name]
            del inputs[name]
        made.document = {
            "publisherId": document["publisherId"],
            "eventType": document["eventType"],
            "resourceVersion": document.get("resourceVersion") or "1.0",
            "consumerId": document["consumerId"],
            "consumerActionId": document["consumerActionId"],
            "publisherInputs": publisher_inputs | {"tfsSubscriptionId": made.id},
            "consumerInputs": inputs,
            "createdBy": made.document.get("createdBy") or who.json(),
            "eventDescription": "",
            "hostId": organization.id,
        }

    def _check(
        self, document: Any, inputs: Mapping[str, str], publisher_inputs: Mapping[str, str]
    ) -> None:
        wrong = ""
        if document.get("publisherId") != "tfs" or document.get("eventType") not in EVENTS:
            wrong = f"There is no event type {document.get('eventType')}."
        elif (document.get("consumerId"), document.get("consumerActionId")) != (
            "webHooks",
            "httpRequest",
        ):
            wrong = "There is no such consumer or action."
        elif not all(
            isinstance(value, str) for value in (*inputs.values(), *publisher_inputs.values())
        ):
            wrong = "Every input is a string."
        elif not publisher_inputs.get("projectId"):
            wrong = "projectId is needed."
        elif inputs.get("resourceDetailsToSend", "all") not in ("all", "minimal", "none"):
            wrong = "The value of resourceDetailsToSend is not one of its possible values."
        else:
            wrong = self._wrong_in_address(inputs) or _wrong_in_headers(inputs)
        if wrong:
            raise Refusal(400, wrong, "SubscriptionInputException")

    def _wrong_in_address(self, inputs: Mapping[str, str]) -> str:
        url = urlsplit(inputs.get("url", ""))
        if url.scheme not in {"http", "https"} or not url.hostname:
            return "The URL is not valid."
        if self.needs_https and inputs.get("basicAuthUsername") and url.scheme != "https":
            return "HTTPS is required with basic authentication."
        if not self.accepts_loopback and _is_special(url.hostname):
            return "The URL must not be a loopback or special-range address."
        return ""


@dataclass
class Delivery:
    """One notification and how its attempts went."""

    subscription: Subscription
    body: bytes
    headers: Mapping[str, str]
    statuses: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.subscription.document["consumerInputs"]["url"]  # type: ignore[no-any-return] # as posted


class Sender:
    """Sends events to who subscribed, in the background, with the service's own retries.

    Attributes:
        pace: seconds waited for each second of the retry table; tests have no minutes.
        addresses: public bases of URLs by where they really are.
        holds: while true nothing is sent; `send_held` sends, in reverse when asked.
    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self.pace = 0.02
        self.addresses: dict[str, str] = {}
        self.deliveries: list[Delivery] = []
        self.holds = False
        self._held: list[Delivery] = []
        self._sleep = sleep
        self._threads = Threads()

    def emit(
        self,
        organization: Organization,
        event_type: str,
        inputs: Mapping[str, str],
        resource: Mapping[str, Any] | None,
        text: str,
    ) -> None:
        """Tell every subscription of this event type whose inputs fit."""
        for one in list(organization.subscriptions.values()):
            if one.document["eventType"] == event_type and _fits(one, inputs):
                delivery = self._delivery(organization, one, resource, text)
                self.deliveries.append(delivery)
                if self.holds:
                    self._held.append(delivery)
                else:
                    self._start(organization, delivery)

    def send_held(self, organization: Organization, *, reverse: bool = False) -> None:
        self.holds = False
        held, self._held = self._held[:: -1 if reverse else 1], []
        for delivery in held:
            self._start(organization, delivery)

    def repeat(self, organization: Organization, delivery: Delivery) -> int:
        """Send one more time, as the portal's button does; return the status."""
        return self._attempt(organization, delivery)

    def probe(self, organization: Organization) -> None:
        """Send what probation retries are due for."""
        for one in organization.subscriptions.values():
            due = one.next_probation_at
            if one.status == "onProbation" and due and due <= organization.clock.now():
                last = next(d for d in reversed(self.deliveries) if d.subscription is one)
                self._attempt(organization, last)

    def settle(self, timeout_s: float = 30.0) -> None:
        """Wait until everything under way was delivered or given up."""
        self._threads.settle(timeout_s)

    def _delivery(
        self,
        organization: Organization,
        one: Subscription,
        resource: Mapping[str, Any] | None,
        text: str,
    ) -> Delivery:
        number = len(one.notifications) + 1
        document = {
            "subscriptionId": one.id,
            "notificationId": number,
            "id": guid(),
            "eventType": one.document["eventType"],
            "publisherId": "tfs",
            "message": {"text": text},
            "detailedMessage": None,
            "resource": resource,
            "resourceVersion": one.document["resourceVersion"],
            "resourceContainers": {
                "collection": {"id": organization.id},
                "account": {"id": organization.id},
                "project": {"id": one.inputs["projectId"]},
            },
            "createdDate": stamp(organization.clock.now()),
        }
        one.notifications.append({"id": number, "status": "queued", "result": "pending"})
        return Delivery(one, json.dumps(document).encode(), _headers(one))

    def _start(self, organization: Organization, delivery: Delivery) -> None:
        self._threads.start(self._deliver, organization, delivery)

    def _deliver(self, organization: Organization, delivery: Delivery) -> None:
        one = delivery.subscription
        if one.status not in {"enabled", "onProbation"}:
            return
        status = self._attempt(organization, delivery)
        for wait_s in _RETRIES_S:
            if status not in _TRANSIENT:
                return
            self._sleep(wait_s * self.pace)
            status = self._attempt(organization, delivery)
        self._fail(organization, one)

    def _attempt(self, organization: Organization, delivery: Delivery) -> int:
        url = delivery.url
        for public, real in self.addresses.items():
            url = url.replace(public, real, 1)
        request = urllib.request.Request(
            url, data=delivery.body, headers=dict(delivery.headers), method="POST"
        )
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as refusal:
            status = refusal.code
            refusal.close()
        except OSError:
            status = 504
        delivery.statuses.append(status)
        self._judge(organization, delivery.subscription, status)
        return status

    def _judge(self, organization: Organization, one: Subscription, status: int) -> None:
        if 200 <= status < 300:
            one.notifications[-1].update(status="completed", result="succeeded")
            if one.status == "onProbation":
                one.status, one.probation_retries = "enabled", 0
        elif status == _TERMINAL:
            one.status = "disabledBySystem"
        elif status not in _TRANSIENT:
            self._fail(organization, one)

    def _fail(self, organization: Organization, one: Subscription) -> None:
        """Enduring: on probation, and off after the last of its retries."""
        one.notifications[-1].update(status="completed", result="failed")
        if one.status == "onProbation":
            one.probation_retries += 1
        if one.probation_retries >= len(_PROBATION):
            one.status, one.next_probation_at = "disabledBySystem", None
            return
        one.status = "onProbation"
        one.next_probation_at = organization.clock.now() + _PROBATION[one.probation_retries]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def _headers(one: Subscription) -> dict[str, str]:
    inputs = one.document["consumerInputs"]
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Request-Id": guid(),
        "X-VSS-ActivityId": guid(),
        "X-VSS-SubscriptionId": one.id,
    }
    for line in (inputs.get("httpHeaders") or "").splitlines():
        name, _, value = line.partition(":")
        headers[name] = value
    username = inputs.get("basicAuthUsername", "")
    password = one.secrets.get("basicAuthPassword", "")
    if username or password:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return headers


def _fits(one: Subscription, inputs: Mapping[str, str]) -> bool:
    """Tell whether the event is within every filter that the subscription has."""
    return all(
        inputs.get(name) == value
        for name, value in one.inputs.items()
        if value and name != "tfsSubscriptionId"
    )


def _wrong_in_headers(inputs: Mapping[str, str]) -> str:
    for line in (inputs.get("httpHeaders") or "").splitlines():
        name, colon, value = line.partition(":")
        if not name or not colon or " " in value:
            return "Headers are written Key:value, one per line, without spaces."
    for name in ("basicAuthUsername", "basicAuthPassword"):
        given = inputs.get(name, "")
        if len(given) > 256 or any(letter.isspace() for letter in given):
            return f"{name} has at most 256 characters and no spaces."
    return ""


def _is_special(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return any(not ipaddress.ip_address(one[4][0]).is_global for one in found)
