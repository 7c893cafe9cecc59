"""Table of SSH keys."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from landform.access.permissions import Place
from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed
from landform.vcs.private_keys import KeyKind


class SshKey(Base):
    """A private key of an organization, for its workspaces' runs.

    Attributes:
        fingerprint: `SHA256:…` of the public half, as `ssh-keygen -l` shows it.
        known_hosts: lines of a known_hosts file: servers that the key is shown to, beside the
            public ones (`vcs/git/public_hosts.py`). Any other is not spoken to.
        sealed_private_key: as OpenSSH keeps it, for the place `ssh-keys/{id}`.
    """

    __tablename__ = "ssh_keys"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("sshkey"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[KeyKind]
    public_key: Mapped[str]
    fingerprint: Mapped[str]
    known_hosts: Mapped[str] = mapped_column(default="")
    sealed_private_key: Mapped[bytes] = mapped_column(Sealed("ssh-keys/{id}"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    @property
    def place(self) -> Place:
        """Where permissions on it are asked for."""
        return Place(organization_id=self.organization_id)


Index(
    "uq_ssh_keys_organization_lower_name",
    SshKey.organization_id,
    func.lower(SshKey.name),
    unique=True,
)
