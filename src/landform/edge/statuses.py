"""Kind of failure to HTTP status; the only such table."""

from typing import Final

from landform.kit import errors

STATUS: Final[dict[type[Exception], int]] = {
    errors.MalformedError: 400,
    errors.UnauthenticatedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.TooLargeError: 413,
    errors.InvalidError: 422,
    errors.TooManyError: 429,
    errors.UnavailableError: 503,
}


def status_of(failure: Exception) -> int:
    """Return the status of the nearest kind `failure` belongs to; 500 when it is of none."""
    return next((STATUS[kind] for kind in type(failure).mro() if kind in STATUS), 500)
