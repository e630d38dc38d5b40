"""Who is shown in which colour. Pure."""

import zlib

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
"""As terminals, click and prompt_toolkit name them; what a person's own theme makes of them is readable on it."""


def colour_of(name: str) -> str:
    """The same name has the same colour in every session."""
    return COLOURS[zlib.crc32(name.encode()) % len(COLOURS)]
