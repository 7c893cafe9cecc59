"""Why somebody who comes back from a provider is not let in."""

from landform.kit.errors import ForbiddenError, UnauthenticatedError, UnavailableError


class NotVouchedForError(UnauthenticatedError):
    """What the provider or the browser brought proves nothing."""


class NotWelcomeError(ForbiddenError):
    """The provider says who it is, and that is nobody who may come in."""


class ProviderAwayError(UnavailableError):
    """The provider does not answer, or not as one does."""
