"""`troupe compare`: piped, and in a terminal, wide, narrow and blind."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.clients.cli.pseudo_terminal import CTRL_C, ENTER, terminal
from tests.clients.cli.shell import Shell
from tests.clients.stub_gateway import StubGateway, error_body, serving


async def test_piped_it_is_a_line_of_json_for_each(stub: StubGateway, shell: Shell) -> None:
    """In the order in which they were named, and both asked the same."""
    stub.answers = {"zizou": "goal", "base": "no opinion"}
    result = await shell.run("compare", "zizou", "base", "who won?", "--seed", "3", "--system", "short")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["model"], line["text"], line["finish_reason"]) for line in lines] == [
        ("zizou", "goal ", "stop"),
        ("base", "no opinion ", "stop"),
    ]
    assert lines[0]["usage"] == {"prompt_tokens": 7, "completion_tokens": 3}
    first, second = stub.asked
    assert first["messages"] == second["messages"]
    assert (first["seed"], second["seed"], len(first["messages"])) == (3, 3, 2)


async def test_both_are_asked_at_once(stub: StubGateway, shell: Shell) -> None:
    """The second question is there while the first is being answered."""
    stub.waking = asyncio.Event()
    asking = asyncio.create_task(shell.run("compare", "zizou", "base", "who won?"))
    async with asyncio.timeout(30):
        while len(stub.asked) < 2:  # noqa: ASYNC110 (the stub has nothing to wait for)
            await asyncio.sleep(0.005)
    stub.waking.set()
    assert (await asking).exit_code == 0


async def test_what_one_cannot_answer_the_other_does(stub: StubGateway, shell: Shell) -> None:
    """The exit code is the failure's, and the answer is there all the same."""
    result = await shell.run("compare", "zizou", "nobody", "who won?")
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, said[0]["text"], "no model `nobody`" in said[1]["error"]) == (5, "offside, as ever ", True)
    assert "no model `nobody`" in result.stderr


async def test_blind_needs_somebody_who_votes(stub: StubGateway, shell: Shell) -> None:
    """In a pipe it is wrong usage, and nobody is asked."""
    assert ((await shell.run("compare", "zizou", "base", "?", "--blind")).exit_code, stub.asked) == (2, [])


@pytest.mark.parametrize(("columns", "side_by_side"), [(100, True), (50, False)])
async def test_a_wide_terminal_shows_them_side_by_side(tmp_path: Path, columns: int, side_by_side: bool) -> None:
    """A narrow one below each other."""
    stub = StubGateway(answers={"zizou": "GOAL", "base": "nothing"})
    async with serving(stub), terminal(stub, tmp_path, "compare", "zizou", "base", "who?", columns=columns) as term:
        assert await term.left() == 0
        await term.until(b"GOAL")
        shown = bytes(term.seen)
        assert b"nothing" in shown
        assert (b"nothing" in shown.partition(b"\n")[0]) == side_by_side


async def test_a_blind_vote_is_told_who_it_was_for_afterwards(tmp_path: Path) -> None:
    """No name is shown before; the vote is remembered."""
    stub = StubGateway(answers={"zizou": "GOAL", "base": "nothing"})
    async with serving(stub), terminal(stub, tmp_path, "compare", "zizou", "base", "who?", "--blind") as term:
        await term.until(b"answer 1")
        await term.until(b"Which is better?")
        before = bytes(term.heard[: -len(term.seen)] if term.seen else term.heard)
        assert b"zizou" not in before.replace(b"compare zizou", b"")
        term.type(b"7" + ENTER)
        await term.until(b"Which is better?")
        term.type(b"1" + ENTER)
        await term.until(b"1 was ")
        await term.until(b"neither 0.")
        assert await term.left() == 0
    vote = json.loads((tmp_path / "votes.jsonl").read_text())
    assert vote["winner"] == vote["first"]
    assert {vote["first"], vote["second"]} == {"zizou", "base"}


async def test_a_failure_in_a_terminal_stands_where_the_answer_would(tmp_path: Path) -> None:
    """And nobody is asked to choose; what was hidden is told."""
    stub = StubGateway(failure=(503, error_body("All engines are busy."), {}))
    async with serving(stub), terminal(stub, tmp_path, "compare", "zizou", "base", "who?", "--blind") as term:
        await term.until(b"All engines are busy.")
        await term.until(b" was ")
        assert await term.left() == 1
        assert b"Which" not in term.heard


async def test_ctrl_c_leaves_what_had_come(tmp_path: Path) -> None:
    """Exit code 130, no stack trace, and the gateway is told to stop both."""
    stub = StubGateway(answer="gol " * 2000, pause_s=0.01)
    async with serving(stub), terminal(stub, tmp_path, "compare", "zizou", "base", "who?") as term:
        await term.until(b"gol gol")
        term.type(CTRL_C)
        assert await term.left() == 130
        assert b"Traceback" not in term.heard
        async with asyncio.timeout(30):
            while stub.gone < 2:  # noqa: ASYNC110 (the stub has nothing to wait for)
                await asyncio.sleep(0.005)
