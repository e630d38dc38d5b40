"""Questions read from, and answers written to, a terminal or a pipe. Knows deltas and text streams, and nothing of commands."""

import io
import sys
import unicodedata
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TextIO

from clients.cli.waiting import Waiting
from clients.deltas import Delta


async def speak(deltas: AsyncGenerator[Delta, None], out: TextIO, said: list[str], waiting: Waiting, *, label: str = "") -> None:
    """Write each piece of text to `out` as it comes and add it to `said`; end the line however the answer ends.

    `said` belongs to the caller so that an interrupted answer is not lost; `waiting` is shown until there is text, and `label` before
    it. Raises what the stream raises.
    """
    harmless = printable if out.isatty() else str
    whole = False
    try:
        async with waiting, aclosing(deltas):
            async for delta in deltas:
                if delta.waking:
                    waiting.waking()
                if delta.text:
                    await waiting.over()
                    out.write("" if said else label)
                    said.append(delta.text)
                    out.write(harmless(delta.text))
                    out.flush()
        whole = True
    finally:
        if said or whole:
            out.write("\n")
            out.flush()


def screen_for(out: TextIO) -> TextIO | None:
    """Where a passing word may be shown to whoever reads `out`; None if that, or standard error, is not a terminal."""
    return sys.stderr if out.isatty() and sys.stderr.isatty() else None


def printable(text: str) -> str:
    """`text` without control characters: a model must not move a terminal's cursor or set its title."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")


def piped_in() -> TextIO:
    """Standard input as text, where bytes that are none become U+FFFD instead of an error; nothing where it is closed."""
    if sys.stdin is None:
        return io.StringIO()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    return sys.stdin
