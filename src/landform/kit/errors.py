"""The kinds of failure a caller can expect; edges map a kind to HTTP, never a message."""


class LandformError(Exception):
    """Base of every expected failure. Its text is shown to the user.

    Attributes:
        pointer: JSON pointer to the part of the input that is wrong, for a dialect that has a
            place for it; empty when the failure is not about one part.
    """

    def __init__(self, message: str, *, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class NotFoundError(LandformError):
    """No such resource, or the actor may not know of it."""


class ForbiddenError(LandformError):
    """The actor may see the resource but not do this to it."""


class ConflictError(LandformError):
    """Well formed, but the present state of the resource forbids it."""


class InvalidError(LandformError):
    """The input cannot be accepted as it stands."""


class MalformedError(LandformError):
    """The input is not of the form the protocol asks for."""


class TooLargeError(LandformError):
    """The input is past a stated limit."""


class TooManyError(LandformError):
    """Too much in too little time.

    Attributes:
        retry_after_s: seconds after which it may be tried again.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnauthenticatedError(LandformError):
    """No actor, or credentials that no longer hold."""


class UnavailableError(LandformError):
    """Something we depend on did not answer; trying again may help."""
