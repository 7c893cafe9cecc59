"""What a new platform's first user is called."""

from typing import Final

FIRST_ADMIN: Final = "admin"
