"""What a provider can answer instead of what was asked.

Every text is for an administrator and says what to do; none quotes a credential.
"""

from landform.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)


class SignInNeededError(ConflictError):
    """The credentials no longer hold, and only a person can get new ones."""


class ProviderRefusedError(InvalidError):
    """The provider understood and said no: the request, or a setting of the connection, is wrong.

    Attributes:
        code: the provider's own word for it, such as `invalid_client`.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotAllowedError(ForbiddenError):
    """The connection's identity lacks a permission at the provider."""


class NoSuchRepositoryError(NotFoundError):
    """There is no such thing at the provider, or its identity may not see it."""


class ProviderAwayError(UnavailableError):
    """The provider did not answer, or not with sense; later may help.

    Attributes:
        retry_after_s: seconds the provider asked us to wait; 0 if it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
