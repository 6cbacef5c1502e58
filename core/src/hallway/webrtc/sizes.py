"""How large a message is on the wire, and whether the channel takes it."""

from __future__ import annotations

from hallway.errors import BadMessage, MessageTooLarge


def checked_size(message: str | bytes, most: int) -> int:
    """The bytes of a message.

    Raises:
        MessageTooLarge: they are more than ``most``.
        BadMessage: the text cannot be written as UTF-8.

    """
    try:
        size = len(message.encode() if isinstance(message, str) else message)
    except UnicodeEncodeError as error:
        raise BadMessage("the text has a lone surrogate, which UTF-8 cannot carry") from error
    if size > most:
        raise MessageTooLarge(f"the message has {size} bytes, the channel takes {most}")
    return size
