"""Refusals that say what was asked for, so that they can be told in the audit trail."""

from landform.access.permissions import Permission, Place
from landform.kit.errors import ForbiddenError, NotFoundError


class DeniedError(ForbiddenError):
    """The actor lacks the permission where it was asked for."""

    def __init__(self, message: str, permission: Permission, place: Place) -> None:
        super().__init__(message)
        self.permission = permission
        self.place = place


class HiddenError(NotFoundError):
    """The actor lacks the permission, and may not even know of the place."""

    def __init__(self, message: str, permission: Permission, place: Place) -> None:
        super().__init__(message)
        self.permission = permission
        self.place = place
