"""What clients say of people and groups: whole, or as changes of a PATCH. Pure.

Entra writes `Replace` and `"False"`, and gives paths in values; Okta gives values without a path,
and `members[value eq "…"]`. What neither we nor the directory can use of it is passed over.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from landform.api.scim.dialect import FilterError
from landform.directories.groups import GroupSettings
from landform.directories.people import PersonSettings
from landform.kit.errors import InvalidError, MalformedError

_FILTER: Final = re.compile(r'\s*([A-Za-z][\w.:\-]*)\s+eq\s+"((?:[^"\\]|\\.)*)"\s*', re.IGNORECASE)
_ESCAPE: Final = re.compile(r"\\(.)")
_ONE_MEMBER: Final = re.compile(r'members\[\s*value\s+eq\s+"([^"]*)"\s*\]', re.IGNORECASE)
_WORK_EMAIL: Final = re.compile(r"emails(\[[^\]]*\])?(\.value)?", re.IGNORECASE)
_MOST_OPERATIONS: Final = 1000
_PERSON: Final[Mapping[str, str]] = {
    "username": "user_name",
    "externalid": "external_id",
    "displayname": "display_name",
}
_OPS: Final = ("add", "replace", "remove")


def read_filter(text: str, names: Mapping[str, str]) -> tuple[str, str] | None:
    """Return which attribute is to have which value; None where all are asked for.

    Args:
        names: attributes that can be asked by, in lower case, and how the domain calls them.

    Raises:
        FilterError: it is another kind of filter.
    """
    if not text.strip():
        return None
    found = _FILTER.fullmatch(text)
    name = names.get(found[1].lower().rpartition("user:")[2]) if found else None
    if found is None or name is None:
        raise FilterError(
            'Only filters of the form `NAME eq "VALUE"` are offered, of the names '
            f"{', '.join(names)}."
        )
    return name, _ESCAPE.sub(r"\1", found[2])


def read_person(said: Mapping[str, Any]) -> PersonSettings:
    """Read a whole person; what is left out of one is empty, but that they are active.

    Raises:
        InvalidError: an attribute is of another kind.
    """
    known = _lowered(said)
    return PersonSettings(
        user_name=_text(known, "username"),
        external_id=_text(known, "externalid"),
        display_name=_display_name(known),
        email=_email(known),
        is_active=_flag(known.get("active", True)),
    )


def read_person_patch(said: Mapping[str, Any]) -> PersonSettings:
    """Read the changes of a person.

    Raises:
        MalformedError: it is no PATCH.
        InvalidError: a value is of another kind.
    """
    changes: dict[str, Any] = {}
    for op, path, value in _operations(said):
        if path:
            _note(changes, path, None if op == "remove" else value)
        elif isinstance(value, dict):
            for name, each in value.items():
                _note(changes, name, each)
        else:
            raise InvalidError("An operation without a path has an object as its value.")
    return PersonSettings(**changes)


def read_group(said: Mapping[str, Any]) -> GroupSettings:
    """Read a whole group.

    Raises:
        InvalidError: an attribute is of another kind.
    """
    known = _lowered(said)
    return GroupSettings(
        display_name=_text(known, "displayname"),
        external_id=_text(known, "externalid"),
        members=_members(known.get("members")),
    )


def read_group_patch(said: Mapping[str, Any]) -> list[GroupSettings]:
    """Read the changes of a group, in order.

    Raises:
        MalformedError: it is no PATCH.
        InvalidError: a value is of another kind.
    """
    found: list[GroupSettings] = []
    for op, path, value in _operations(said):
        if path:
            found += _group_change(op, path, value)
        elif isinstance(value, dict):
            for name, each in value.items():
                found += _group_change(op, name, each)
        else:
            raise InvalidError("An operation without a path has an object as its value.")
    return found


def _group_change(op: str, path: str, value: Any) -> Iterable[GroupSettings]:
    one = _ONE_MEMBER.fullmatch(path)
    if one is not None:
        if op != "remove":
            raise InvalidError("A single member can only be removed by such a path.")
        return [GroupSettings(remove=[one[1]])]
    match path.lower():
        case "members":
            members = _members(value)
            if op == "add":
                return [GroupSettings(add=members)]
            if op == "replace":
                return [GroupSettings(members=members)]
            return [GroupSettings(remove=members) if value else GroupSettings(members=[])]
        case "displayname" if op != "remove":
            return [GroupSettings(display_name=_plain(value, "displayName"))]
        case "externalid":
            text = "" if op == "remove" else _plain(value, "externalId")
            return [GroupSettings(external_id=text)]
    return []


def _operations(said: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    operations = _lowered(said).get("operations")
    if not isinstance(operations, list) or len(operations) > _MOST_OPERATIONS:
        raise MalformedError(f"A PATCH has a list of at most {_MOST_OPERATIONS} Operations.")
    for each in operations:
        if not isinstance(each, dict):
            raise MalformedError("An operation is an object.")
        known = _lowered(each)
        op, path = known.get("op"), known.get("path", "")
        if not isinstance(op, str) or op.lower() not in _OPS or not isinstance(path, str | None):
            raise MalformedError(f"The op of an operation is one of {', '.join(_OPS)}.")
        name = (path or "").strip()
        yield (
            op.lower(),
            name.rpartition(":User:")[2] if ":User:" in name else name,
            known.get("value"),
        )


def _note(changes: dict[str, Any], path: str, value: Any) -> None:
    name = path.lower()
    if name == "active":
        changes["is_active"] = _flag(False if value is None else value)
    elif name in _PERSON:
        changes[_PERSON[name]] = "" if value is None else _plain(value, path)
    elif _WORK_EMAIL.fullmatch(path):
        if isinstance(value, list):
            value = _email({"emails": value})
        changes["email"] = "" if value is None else _plain(value, path)


def _lowered(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in said.items()}


def _text(known: Mapping[str, Any], name: str) -> str:
    value = known.get(name)
    return "" if value is None else _plain(value, name)


def _plain(value: Any, name: str) -> str:
    if isinstance(value, list) and len(value) == 1:  # Entra, of some attributes
        value = value[0].get("value") if isinstance(value[0], dict) else value[0]
    if not isinstance(value, str):
        raise InvalidError(f"{name} is text.")
    return value.strip()


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise InvalidError("active is true or false.")
    return value


def _display_name(known: Mapping[str, Any]) -> str:
    if known.get("displayname"):
        return _text(known, "displayname")
    name = known.get("name")
    if not isinstance(name, dict):
        return ""
    formatted = name.get("formatted")
    parts = (name.get("givenName"), name.get("familyName"))
    joined = " ".join(each for each in parts if isinstance(each, str))
    return formatted if isinstance(formatted, str) else joined


def _email(known: Mapping[str, Any]) -> str:
    """Return the primary address, else the first."""
    emails = known.get("emails")
    if not emails:
        return ""
    if not isinstance(emails, list) or not all(isinstance(each, dict) for each in emails):
        raise InvalidError("emails is a list of objects.")
    chosen = next((each for each in emails if _is_true(each.get("primary"))), emails[0])
    return _text(_lowered(chosen), "value")


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _members(value: Any) -> list[str]:
    if value is None:
        return []
    several = value if isinstance(value, list) else [value]
    ids = [each.get("value") if isinstance(each, dict) else each for each in several]
    if not all(isinstance(each, str) for each in ids):
        raise InvalidError("members is a list of objects with the value of a user's id.")
    return [str(each) for each in ids]
