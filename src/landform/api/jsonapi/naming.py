"""How a dialect spells a name that Python spells in snake_case."""

import msgspec


def kebab(name: str) -> str:
    """Spell `auto_apply` as `auto-apply`; what is kebab-case already stays as it is."""
    return name.replace("_", "-")


def camel(name: str) -> str:
    """Spell `auto_apply` as `autoApply`; what is camelCase already stays as it is."""
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


class Kebab(msgspec.Struct, rename="kebab"):
    """Parent of the structures, read or shown, of a dialect in kebab-case."""


class Camel(msgspec.Struct, rename="camel"):
    """Parent of the structures, read or shown, of a dialect in camelCase."""
