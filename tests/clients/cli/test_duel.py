"""Two answers at once: what is kept of each, how they are drawn, how votes are counted."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from rich.console import Console

from clients.cli.duel import NARROW, Drawing, Duel, Side
from clients.cli.votes import Vote, Votes
from clients.deltas import Delta, Usage
from clients.errors import NoServer, StreamBroken


async def _answer(*deltas: Delta, failure: Exception | None = None) -> AsyncGenerator[Delta, None]:
    for delta in deltas:
        yield delta
    if failure is not None:
        raise failure


async def test_a_side_keeps_what_came_and_how_long_it_took() -> None:
    """The text, why it ended, the tokens."""
    times = iter([10.0, 12.5])
    side = Side("zizou", "zizou")
    deltas = _answer(Delta(waking=True), Delta("go"), Delta("al", "stop"), Delta(usage=Usage(7, 2)))
    await side.listen(deltas, None, lambda: next(times))
    assert side.to_json() == {
        "model": "zizou",
        "text": "goal",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        "seconds": 2.5,
    }


async def test_a_side_that_fails_leaves_the_other_in_peace() -> None:
    """What had come of it stays, with the reason."""
    good, bad = Side("a", "a"), Side("b", "b")
    duel = Duel([good, bad])
    await asyncio.gather(
        good.listen(_answer(Delta("fine")), None), bad.listen(_answer(Delta("hal"), failure=StreamBroken("It broke.")), None)
    )
    assert isinstance(duel.failure, StreamBroken)
    assert (good.text, bad.to_json()["text"], bad.to_json()["error"]) == ("fine", "hal", "It broke.")


def _drawn(duel: Duel, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(duel.picture(width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_answers_stand_side_by_side_where_there_is_room() -> None:
    """And below each other where there is none; no line is wider than the terminal, whatever was answered."""
    duel = Duel([Side("a", "answer 1", ["word " * 30]), Side("b", "answer 2", ["x" * 200])])
    wide = _drawn(duel, NARROW)
    assert wide[0].split("  ")[0] == "answer 1"
    assert "answer 2" in wide[0]
    narrow = _drawn(duel, NARROW - 1)
    assert [line for line in narrow if line.startswith("answer")] == ["answer 1", "answer 2"]
    assert max(len(line) for line in wide + narrow) <= NARROW


def test_an_answer_cannot_steer_the_drawing() -> None:
    """Neither by control characters nor by markup."""
    assert _drawn(Duel([Side("a", "a", ["[red]x\x1b[2J[/red]"])]), 40)[1] == "[red]x[2J[/red]"


def test_what_is_not_there_yet_is_said() -> None:
    """Waking, waiting, failed."""
    sides = [Side("a", "a", waking=True), Side("b", "b"), Side("c", "c", failure=NoServer("http://x"))]
    drawn = "\n".join(_drawn(Duel(sides), 60))
    assert "is waking up …" in drawn
    assert "No Troupe gateway answers" in drawn


def test_an_answer_that_is_empty_is_not_waited_for() -> None:
    """Dots would mean that something comes."""
    drawn = "\n".join(_drawn(Duel([Side("a", "a", [" "], seconds=1.0), Side("b", "b", seconds=1.0)]), 60))
    assert (drawn.count("(said nothing)"), "…" in drawn) == (2, False)


async def test_many_changes_are_one_picture() -> None:
    """A slow link is not flooded, and nothing is drawn when nothing changed."""
    pictures: list[None] = []
    drawn = asyncio.Event()

    def draw() -> None:
        pictures.append(None)
        drawn.set()

    drawing = Drawing(draw)
    for _ in range(1000):
        drawing.change()
    await asyncio.wait_for(drawn.wait(), 30)
    assert len(pictures) == 1
    drawing.change()
    drawing.end()
    assert len(pictures) == 1


def test_votes_are_counted_over_sessions_in_either_order(tmp_path: Path) -> None:
    """A line that was cut short is read over; the file is its owner's."""
    path = tmp_path / "deep" / "votes.jsonl"
    Votes(path).add(Vote("q", "zizou@7", "zizou@8", "zizou@8"))
    Votes(path).add(Vote("q", "zizou@8", "zizou@7", "zizou@8"))
    Votes(path).add(Vote("q", "zizou@8", "zizou@7", None))
    Votes(path).add(Vote("q", "base", "zizou@7", "base"))
    with path.open("a") as file:
        file.write('{"question": "ha')
    assert Votes(path).tally("zizou@8", "zizou@7") == "So far zizou@7 0, zizou@8 2, neither 1."
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text().splitlines()[0])["winner"] == "zizou@8"


def test_no_votes_are_no_votes(tmp_path: Path) -> None:
    """A model is not compared with itself."""
    assert Votes(tmp_path / "votes").tally("a", "b") == "So far a 0, b 0, neither 0."
    assert Votes(tmp_path / "votes").tally("a", "a") == ""


@pytest.mark.parametrize("width", [20, 80])
def test_nobody_answering_is_drawn_too(width: int) -> None:
    """Before the first word."""
    assert _drawn(Duel([Side("a", "a"), Side("b", "b")]), width)
