"""How whoever started a platform learns its first user's password."""

from landform.identity.first_admin import FIRST_ADMIN


def tell_password(password: str) -> None:
    """Write it to standard output, which is for people; logs go elsewhere."""
    print(
        f"First start. Sign in as {FIRST_ADMIN} with the one-time password {password}\n"
        "It is not shown again.",
        flush=True,
    )
