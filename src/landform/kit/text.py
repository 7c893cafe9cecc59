"""Text that people write: what a database can hold, and no more of it than stated."""

from landform.kit.errors import InvalidError


def check_text(text: str, *, what: str, limit: int, pointer: str) -> str:
    """Return `text` if it can be kept.

    Args:
        what: how the message names it, such as `The description`.
        limit: characters it may have.
        pointer: the attribute the text came in.

    Raises:
        InvalidError: too long, or with a NUL or half a character in it, which PostgreSQL refuses.
    """
    if len(text) > limit:
        raise InvalidError(
            f"{what} has {len(text)} characters; at most {limit} are accepted.", pointer=pointer
        )
    if "\0" in text or not _is_unicode(text):
        raise InvalidError(
            f"{what} holds a NUL or a lone surrogate, which is not text.", pointer=pointer
        )
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
