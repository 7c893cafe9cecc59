"""What the form of a connection asks, and what people are told beside it. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form; `kind` is `text`, `day`, `secret` or `lines`."""

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    is_required: bool = True


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What to know before choosing a way to sign in, and what it asks for.

    Attributes:
        advice: for whom it is; one sentence.
        steps: what to do at the provider first, in order.
        more: fields that hardly anybody needs, below `more_label`.
        warning: why one would rather not.
    """

    advice: str
    steps: tuple[str, ...]
    fields: tuple[Field, ...]
    more: tuple[Field, ...] = ()
    more_label: str = "Other addresses"
    warning: str = ""

    @property
    def every(self) -> tuple[Field, ...]:
        """All fields, those that hardly anybody needs last."""
        return (*self.fields, *self.more)


SECRET: Final = Field(name="client_secret", label="Client secret", kind="secret")
ENDS: Final = Field(
    name="secret_expires_at",
    label="The secret ends on",
    hint="Landform warns before.",
    kind="day",
    is_required=False,
)
ADDRESS: Final = Field(
    name="endpoint", label="Address", hint="Such as https://git.example.com, or with a path."
)
