"""Service-hook subscriptions, one per event. Facts: vcs_providers.md §1.5 and §1.6."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from landform.kit.errors import LandformError
from landform.vcs.errors import NoSuchRepositoryError, NotAllowedError
from landform.vcs.facts import RemoteHook, Repository
from landform.vcs.providers.azure_devops.api import AzureApi
from landform.vcs.providers.azure_devops.deliveries import EVENTS, HEADER, USER

_NAMESPACE: Final = "cb594ebe-87dd-4fc9-ac2c-6a10a4c92046"  # ServiceHooks
_BITS: Final = 7  # view, edit, delete
_PATH: Final = ("_apis", "hooks", "subscriptions")
_SOMEBODY: Final = "IDENTITY"
_ENABLED: Final = ("enabled", "onProbation")


async def ensure_hooks(
    api: AzureApi, repository: Repository, *, url: str, secret: str
) -> Sequence[RemoteHook]:
    """See VcsProvider.ensure_hooks. Masked passwords cannot be compared, so each is sent again."""
    try:
        there = await _ours(api, repository, url)
        made = []
        for event in EVENTS:
            wanted = _subscription(repository, event, url, secret)
            ids = [str(each["id"]) for each in there if each["eventType"] == event]
            for double in ids[1:]:
                await _delete(api, repository, double)
            if ids:
                body = {**wanted, "id": ids[0], "status": "enabled"}
                said = await _send(api, repository, "PUT", (ids[0],), body)
            else:
                said = await _send(api, repository, "POST", (), wanted)
            made.append(hook_of(said, url))
    except NotAllowedError as refused:
        raise NotAllowedError(f"{refused} {await _how_to_allow(api, repository)}") from None
    return made


async def list_hooks(api: AzureApi, repository: Repository, url: str) -> Sequence[RemoteHook]:
    """See VcsProvider.hooks."""
    return [hook_of(each, url) for each in await _ours(api, repository, url)]


async def delete_hooks(api: AzureApi, repository: Repository, url: str) -> None:
    """See VcsProvider.delete_hooks."""
    for each in await _ours(api, repository, url):
        await _delete(api, repository, str(each["id"]))


async def _how_to_allow(api: AzureApi, repository: Repository) -> str:
    """Return the line that an administrator runs to let the connection manage hooks.

    Facts: learn.microsoft.com, "az devops security permission update": a subject is a person's
    address, or else a descriptor.
    """
    organization = api.organization(repository.organization)
    options = {
        "organization": f"{api.base}/{organization}",
        "namespace-id": _NAMESPACE,
        "subject": await _who(api, organization),
        "token": f"PublisherSecurity/{repository.project_id}",
        "allow-bit": str(_BITS),
    }
    words = " ".join(f"--{name} {shlex.quote(value)}" for name, value in options.items())
    return (
        "Only project administrators may manage service hooks, unless one of them runs: az devops"
        f" security permission update {words}"
    )


async def _who(api: AzureApi, organization: str) -> str:
    """Return the connection's identity as commands name it; a word in its place if nobody says."""
    try:
        reply = await api.get(["_apis", "connectionData"], organization=organization)
    except LandformError:
        return _SOMEBODY
    user = reply.said.get("authenticatedUser") or {}
    account = ((user.get("properties") or {}).get("Account") or {}).get("$value") or ""
    if "@" in account:
        return str(account)
    return str(user.get("subjectDescriptor") or _SOMEBODY)


def hook_of(said: Mapping[str, Any], url: str) -> RemoteHook:
    """Read a subscription."""
    status = str(said.get("status") or "enabled")
    detail = {
        "onProbation": "Azure DevOps got no good answer from us for a while and tries ever less.",
        "disabledBySystem": "Azure DevOps switched it off after too many failed deliveries.",
        "disabledByInactiveIdentity": "Whoever made it has left the organization.",
        "disabledByUser": "Somebody switched it off.",
    }
    return RemoteHook(
        id=str(said["id"]),
        event=str(said.get("eventType") or ""),
        url=url,
        is_enabled=status in _ENABLED,
        detail=detail.get(status, ""),
    )


async def _ours(api: AzureApi, repository: Repository, url: str) -> list[Mapping[str, Any]]:
    query = {"publisherId": "tfs", "consumerId": "webHooks"}
    reply = await api.get(_PATH, query, organization=repository.organization)
    return [
        each
        for each in reply.said["value"]
        if (each.get("consumerInputs") or {}).get("url") == url
        and str((each.get("publisherInputs") or {}).get("repository", "")).lower() == repository.id
    ]


async def _send(
    api: AzureApi, repository: Repository, method: str, path: Sequence[str], body: Any
) -> Mapping[str, Any]:
    reply = await api.send(method, [*_PATH, *path], body, organization=repository.organization)
    said: Mapping[str, Any] = reply.said
    return said


async def _delete(api: AzureApi, repository: Repository, subscription_id: str) -> None:
    try:
        await api.send("DELETE", [*_PATH, subscription_id], organization=repository.organization)
    except NoSuchRepositoryError:
        return  # gone is what was wanted


def _subscription(repository: Repository, event: str, url: str, secret: str) -> dict[str, Any]:
    """Describe one. Without a `branch` filter, as that would keep tags away."""
    consumer = {
        "url": url,
        "resourceDetailsToSend": "all",
        "messagesToSend": "none",
        "detailedMessagesToSend": "none",
        "acceptUntrustedCerts": "false",
    }
    if url.startswith("https://"):
        # The password is shown to nobody; a header is, to all who may view subscriptions.
        consumer |= {"basicAuthUsername": USER, "basicAuthPassword": secret}
    else:
        consumer |= {"httpHeaders": f"{HEADER}:{secret}"}
    return {
        "publisherId": "tfs",
        "eventType": event,
        "resourceVersion": EVENTS[event],
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {"projectId": repository.project_id, "repository": repository.id},
        "consumerInputs": consumer,
    }
