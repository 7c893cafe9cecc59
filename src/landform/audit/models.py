"""Tables of the audit trail. The events themselves are `landform.kit.events`."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.db import Base
from landform.kit.sealed import Sealed

CHAIN: Final = "events"
KEY_PLACE: Final = f"audit-chains/{CHAIN}"


class AuditChain(Base):
    """The one chain: where it begins, and where it ends so far.

    Attributes:
        sealed_key: the key of its links, sealed as the value of `KEY_PLACE`.
        base_position: the last place that retention removed; 0 when nothing was.
        base_digest: what that place was sealed with.
        head_position: the last place; `base_position` when the chain is empty.
        head_digest: what the last place was sealed with.
        mac: of all four, by the key, so that an end that was cut off shows.
    """

    __tablename__ = "audit_chains"

    name: Mapped[str] = mapped_column(primary_key=True)
    sealed_key: Mapped[bytes] = mapped_column(Sealed("audit-chains/{name}"))
    base_position: Mapped[int] = mapped_column(BigInteger)
    base_digest: Mapped[bytes] = mapped_column(LargeBinary)
    head_position: Mapped[int] = mapped_column(BigInteger)
    head_digest: Mapped[bytes] = mapped_column(LargeBinary)
    mac: Mapped[bytes] = mapped_column(LargeBinary)


class AuditSink(Base):
    """How far the trail was forwarded to one place outside.

    Attributes:
        name: the sink's address, without what is secret in it.
        position: the last place of the chain that it has.
        taken_until: until then one server has the forwarding to itself.
    """

    __tablename__ = "audit_sinks"

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    taken_until: Mapped[datetime | None]
