"""Tables of logs."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from landform.contract import LogStream
from landform.kit.db import Base


class Log(Base):
    """One log of one phase.

    Attributes:
        size_bytes: content so far; the frame that TFE clients expect is not counted.
        base_bytes: where the attempt `base_epoch` began, so that a later attempt appends.
        is_sealed: nothing will be added.
    """

    __tablename__ = "logs"

    phase_id: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[LogStream] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    base_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    base_epoch: Mapped[int] = mapped_column(default=0)
    is_sealed: Mapped[bool] = mapped_column(default=False)


class LogBlock(Base):
    """A stretch of a log, as it was appended.

    Attributes:
        path: the object that holds it; None when the platform wrote it itself.
        inline: the platform's own few words; never output of a run.
    """

    __tablename__ = "log_blocks"

    phase_id: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[LogStream] = mapped_column(primary_key=True)
    offset_bytes: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    size_bytes: Mapped[int]
    path: Mapped[str | None]
    inline: Mapped[bytes | None]
