"""The line that says why nothing is said yet."""

import asyncio
import io
import time

from clients.cli.waiting import Waiting, sentence


async def test_an_answer_that_comes_soon_leaves_no_trace() -> None:
    """Within the patience nothing is written, not even what takes a line away."""
    screen = io.StringIO()
    async with Waiting("zizou", screen, patience=60.0) as waiting:
        await waiting.over()
        await waiting.over()
    assert screen.getvalue() == ""


async def test_words_change_once_the_engine_is_known_to_wake() -> None:
    """Before, one only waits; nobody is told of a wake that may not be."""
    screen = io.StringIO()
    async with Waiting("zizou", screen, patience=0.01, tick=0.01) as waiting:
        await _until(screen, "waiting for zizou … ")
        waiting.waking()
        await _until(screen, "zizou is waking up … ")
    assert screen.getvalue().endswith("\r\x1b[K")


async def test_a_pipe_gets_nothing() -> None:
    """Where there is no screen there is no line."""
    async with Waiting("zizou", None, patience=0.0) as waiting:
        waiting.waking()
        await asyncio.sleep(0)


def test_the_line_fits_a_narrow_terminal() -> None:
    """Whatever the model is called."""
    assert sentence("zizou", 4.2, waking=True) == "zizou is waking up … 4 s"
    assert len(sentence("x" * 200, 599.0, waking=True)) < 80


async def _until(screen: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in screen.getvalue():
        assert time.monotonic() < deadline, text
        await asyncio.sleep(0.01)
