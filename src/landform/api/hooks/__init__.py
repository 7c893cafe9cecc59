"""Where other systems deliver what happened."""

from landform.api.hooks.vcs import router

__all__ = ["router"]
