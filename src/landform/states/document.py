"""Terraform's state file, as far as we read it. Pure.

Format version 4, as terraform and tofu write it (terraform_facts.md §2, §4).
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from landform.kit.crypto import Binary
from landform.kit.errors import InvalidError

_LARGEST_SERIAL: Final = 2**63 - 1


class Output(msgspec.Struct):
    """One output as the state holds it."""

    value: Any = None
    type: Any = None
    sensitive: bool = False


class _Resource(msgspec.Struct):
    mode: str = "managed"
    type: str = ""
    name: str = ""
    provider: str = ""
    module: str = ""
    instances: list[msgspec.Raw] = []


class _Document(msgspec.Struct):
    version: int
    serial: int = 0
    lineage: str = ""
    terraform_version: str = ""
    outputs: dict[str, Output] = {}
    resources: list[_Resource] = []


class _Instance(msgspec.Struct):
    index_key: int | str | None = None
    attributes: dict[str, Any] = {}


class _ResourceObjects(msgspec.Struct):
    mode: str = "managed"
    type: str = ""
    name: str = ""
    module: str = ""
    instances: list[_Instance] = []


class _Objects(msgspec.Struct):
    resources: list[_ResourceObjects] = []


@dataclass(frozen=True)
class StateDocument:
    """What we need to know of a raw state."""

    serial: int
    lineage: str
    terraform_version: str
    md5: str
    outputs: dict[str, Output]
    resources: list[dict[str, Any]]

    @property
    def managed_count(self) -> int:
        """Instances of managed resources; what is only read does not count."""
        return sum(each["count"] for each in self.resources if each["mode"] == "managed")


def parse(raw: Binary) -> StateDocument:
    """Read a raw state.

    Raises:
        InvalidError: it is not a state of format version 4.
    """
    try:
        document = msgspec.json.decode(raw, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise InvalidError(f"This is not a Terraform state: {failure}.") from None
    except RecursionError:
        raise InvalidError("This is not a Terraform state: it is nested too deeply.") from None
    if document.version != 4:  # noqa: PLR2004 - the format's own number
        message = f"States of format version 4 are accepted, this one is {document.version}."
        raise InvalidError(message)
    _require_storable(document)
    return StateDocument(
        serial=document.serial,
        lineage=document.lineage,
        terraform_version=document.terraform_version,
        md5=md5_of(raw),
        outputs=document.outputs,
        resources=[_listed(resource) for resource in document.resources],
    )


def _require_storable(document: _Document) -> None:
    """Refuse what PostgreSQL cannot hold; values of outputs are kept as bytes and may be anything.

    Raises:
        InvalidError: it holds such a thing.
    """
    if not 0 <= document.serial <= _LARGEST_SERIAL:
        raise InvalidError(f"{document.serial} is not a serial of a Terraform state.")
    types = [output.type for output in document.outputs.values()]
    listed = [_listed(resource) for resource in document.resources]
    texts = [document.lineage, document.terraform_version, list(document.outputs), types, listed]
    if b"\\u0000" in msgspec.json.encode(texts):
        raise InvalidError("A name in the state has a NUL character in it.")


def object_ids(raw: bytes) -> dict[str, frozenset[str]]:
    """Return the managed objects of a raw state: address, as terraform's messages write it → ids.

    An object without an attribute `id` has none. What cannot be read has no objects.
    """
    try:
        document = msgspec.json.decode(raw, type=_Objects)
    except msgspec.DecodeError:
        return {}
    found: dict[str, frozenset[str]] = {}
    for resource in document.resources:
        if resource.mode == "managed":
            module = f"{resource.module}." if resource.module else ""
            for instance in resource.instances:
                address = f"{module}{resource.type}.{resource.name}{_index(instance.index_key)}"
                own = instance.attributes.get("id")
                ids = frozenset([own]) if isinstance(own, str) else frozenset()
                found[address] = found.get(address, frozenset()) | ids
    return found


def _index(key: int | str | None) -> str:
    if isinstance(key, str):
        quoted = msgspec.json.encode(key).decode()
        return "[" + quoted.replace("${", "$${").replace("%{", "%%{") + "]"
    return "" if key is None else f"[{key}]"


def md5_of(data: Binary) -> str:
    """Return the MD5 that clients announce a state by, in hexadecimal."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def kind_of(output_type: Any, value: Any) -> str:
    """Return TFE's short name of an output's type: string, number, bool, array or map."""
    head = output_type[0] if isinstance(output_type, list) and output_type else output_type
    names = {
        "string": "string",
        "number": "number",
        "bool": "bool",
        "list": "array",
        "set": "array",
        "tuple": "array",
        "map": "map",
        "object": "map",
    }
    if isinstance(head, str) and head in names:
        return names[head]
    by_value: list[tuple[type, str]] = [
        (bool, "bool"),
        (int, "number"),
        (float, "number"),
        (list, "array"),
        (dict, "map"),
    ]
    return next((name for kind, name in by_value if isinstance(value, kind)), "string")


def provider_name(text: str) -> str:
    """Return `hashicorp/aws` of `provider["registry.terraform.io/hashicorp/aws"].west`."""
    inner = text.partition('["')[2].partition('"]')[0] or text
    return inner.split("/", 1)[1] if inner.count("/") == 2 else inner  # noqa: PLR2004 - host/namespace/type


def _listed(resource: _Resource) -> dict[str, Any]:
    return {
        "name": resource.name,
        "type": resource.type,
        "mode": resource.mode,
        "count": len(resource.instances),
        "module": resource.module.replace("module.", "") or "root",
        "provider": resource.provider,
    }
