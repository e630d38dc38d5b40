"""The slurs that are refused, packed so that nobody has to read them who only reads this repository.

Light and pure: what a community's voice may learn and what the bot may say are read against the same list.
Words that name a group in order to demean it, in a few languages; no swearing. Left out are words that are as often harmless, that
groups use for themselves, or that are also names. `packed` makes the packed form; `tests/` show what is caught and what is not.
"""

import base64
import zlib
from collections.abc import Iterable

_SLURS = (
    "eNpdVUuO2zAM3esUuhptM7bGiuRKFgJn1aIoZtHLDDptERTodNELODcqRdGKphgM3yMl60c+xplxxKAcQ2SEYsWZBMQNAsVNkwC7AYqNKoIbypINjWo15w6D"
    "DLQOf25xFWDX+VEgqkv55CKTTzCOfhVgN/+X+FZsVBZj54uNavH+tNIKgnTCyYTVGg42nNZIw4gL9DMNNDyqLlk7bDNWElUPYcH1nFw/0ex3Hl02gHObQN4Q"
    "z2DxwDzuvSs2qtnQwtkQzXvMvP6E2LGhzxfTsyl0LpZeBteODnggHRPB0WEKRDUGhIgdWNtQOvlk3FysOJsAfeL9zIa2suBW3LCSHPILTgjDg0V1NcuCgaMP"
    "GtXgV44JRhVg5IAgPYK/oOVQZflZz2ifPD371nIZOCXOTcMpvTAbNkwLZ8eHfjp7l1dqeFRPyVGhdSlnqOE0YEbovD+QAzXShDAcMWZ0tpzNnpMZFwTaq5yz"
    "daI604Q+UOao1htOWYfTyQQBysG2LL5YuoXh8xs++QCjZ0OppgXGYqOCjqo9m6iMoysVS0+OK4RB4HBxoN3d6K03DcsrJhJcojKt7BGsJKrNp8U4gcPFA0m+"
    "OAZjLb1IZaXMVj8fWAK4+g8JG0r7wZl2slAJlQkE69MVK8kP5iALhaG4vfj9XI6Q+xpyw7iaEVOWxUEoSf10Sf20om1oLowBXYRUCc+0Zr1CGrHlNJAG6EGA"
    "cguUTLqyoAT+vjp1Cr43XoByYHq6r6cHqyyq/c9+27/vb/ePDd1f7p/U/jO7Avvb/m3/tb+o+xcafFb35/tnmpcj+2+a8Ep/P2iN3sAC63YgPfYVgqNbVsJN"
    "VkuX1dxmc6/WTd/WR3dm7ehWSPq9knQrJS1aYonqVsj6UDKrXT+Er4vysyR0qw9dBcI60u9UpausStPRTQOSBblH6Ue7kvBANaBZsZUdvyphK79w19K5DaWm"
    "NPtHVu5f/0tRDnB2iJS87LdHZm5SpK4ptFoltDCXRS0FUxO0/QNXFAHZ"
)
_HARMLESS = (
    "eNpdj0sOwzAIBfc+BVdD/gSUGEcGL3z7pmnr2N2gGR56EhlZIvhSxOWB6t4TPNqA74pKkzChOj3ZA0oAPVGcJ5YdWMAoPkKsk8S6nPGkuT/cS5uSIbq061Kv"
    "/5UlwcEb2S8eXqNhDXfPB/XmhBvE60GrKNIhHY3DCxcxZmY="
)


def slurs() -> tuple[str, ...]:
    """In small letters, with their plurals."""
    return unpacked(_SLURS)


def harmless() -> tuple[str, ...]:
    """Phrases in which such a word means something else: an animal, a crack."""
    return unpacked(_HARMLESS)


def packed(words: Iterable[str]) -> str:
    """What to put above for these words."""
    return base64.b64encode(zlib.compress("\n".join(words).encode(), 9)).decode()


def unpacked(text: str) -> tuple[str, ...]:
    """The words that `packed` made this of."""
    return tuple(zlib.decompress(base64.b64decode(text)).decode().split("\n"))
