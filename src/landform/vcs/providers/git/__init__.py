"""Any server that speaks git, by SSH or HTTPS: no API, so no hooks, statuses or pull requests."""

from landform.vcs.providers.git.provider import Git

__all__ = ["Git"]
