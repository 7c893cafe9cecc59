"""Tables of directories."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.db import Base
from landform.kit.ids import new_id


class Directory(Base):
    """Somebody who says by SCIM who there is: for one organization, or for the site.

    Attributes:
        organization_id: None: of the site, which has people and no groups.
        token_hash: SHA-256 of the one token that it shows.
    """

    __tablename__ = "directories"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("dir"))
    name: Mapped[str]
    organization_id: Mapped[str | None] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str]
    last_used_at: Mapped[datetime | None]


class DirectoryPerson(Base):
    """A user as a directory knows them.

    Attributes:
        user_name: what the directory calls them; the user's own name here can be another.
        owns_user: it had the user made, so it may change their address, and shut them out of all.
        suspended_here: it shut them out, so it may let them in again.
        is_deleted: it knows them no more; kept in case it does again.
    """

    __tablename__ = "directory_people"
    __table_args__ = (UniqueConstraint("directory_id", "user_id"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("person"))
    directory_id: Mapped[str] = mapped_column(ForeignKey("directories.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_name: Mapped[str]
    external_id: Mapped[str] = mapped_column(default="")
    display_name: Mapped[str] = mapped_column(default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    owns_user: Mapped[bool] = mapped_column(default=False)
    suspended_here: Mapped[bool] = mapped_column(default=False)
    is_deleted: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


Index(
    "uq_directory_people_name",
    DirectoryPerson.directory_id,
    func.lower(DirectoryPerson.user_name),
    unique=True,
    postgresql_where=~DirectoryPerson.is_deleted,
)


class DirectoryGroup(Base):
    """A group of a directory, which is a team of its organization."""

    __tablename__ = "directory_groups"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("group"))
    directory_id: Mapped[str] = mapped_column(ForeignKey("directories.id", ondelete="CASCADE"))
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), unique=True)
    display_name: Mapped[str]
    external_id: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


Index(
    "uq_directory_groups_name",
    DirectoryGroup.directory_id,
    func.lower(DirectoryGroup.display_name),
    unique=True,
)


class DirectoryMember(Base):
    """A person is in a group; in the team as well, while they are active.

    Attributes:
        was_there: somebody had put them into the team by hand, so they are not taken out of it.
    """

    __tablename__ = "directory_members"

    group_id: Mapped[str] = mapped_column(
        ForeignKey("directory_groups.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[str] = mapped_column(
        ForeignKey("directory_people.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    was_there: Mapped[bool] = mapped_column(default=False)
