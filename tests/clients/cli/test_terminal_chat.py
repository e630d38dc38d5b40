"""`troupe chat` in a real terminal: keys typed into a pseudo-terminal, what appears read from it."""

import asyncio
from pathlib import Path

import pytest

from tests.clients.cli.pseudo_terminal import CTRL_C, CTRL_D, ENTER, PROMPT, terminal
from tests.clients.stub_gateway import StubGateway, error_body, serving


async def test_ctrl_c_stops_a_reply_and_ctrl_d_leaves(tmp_path: Path) -> None:
    """After Ctrl-C in a reply the same chat goes on, remembers what it saw of it, and the gateway is told to stop."""
    async with serving(StubGateway(answer="gol " * 2000, pause_s=0.01)) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        term.type(b"sing" + ENTER)
        await term.until(b"gol gol")
        term.type(CTRL_C)
        await term.until(b"(stopped)")
        stub.answer = "fine"
        await term.until(PROMPT)
        term.type(b"half a li" + CTRL_C)  # at the prompt it drops the line and nothing else
        await term.until(PROMPT)
        term.type(b"better?" + ENTER)
        await term.until(b"fine")
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0
    assert [message["role"] for message in stub.asked[1]["messages"]] == ["user", "assistant", "user"]
    assert stub.asked[1]["messages"][1]["content"].startswith("gol gol")
    assert stub.asked[1]["messages"][2]["content"] == "better?"
    assert stub.gone == 1


async def test_a_failed_reply_is_said_and_the_chat_goes_on(tmp_path: Path) -> None:
    """The history file is the owner's alone."""
    async with serving(StubGateway()) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        stub.failure = (503, error_body("All engines are busy."), {})
        term.type(b"hello" + ENTER)
        await term.until(b"All engines are busy.")
        stub.failure = None
        term.type(b"hello again" + ENTER)
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0
    history = tmp_path / "chat_history"
    assert "hello again" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


async def test_an_answer_that_is_empty_is_said(tmp_path: Path) -> None:
    """Or nobody would know whether it is still to come."""
    async with serving(StubGateway(answer="")) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        term.type(b"hello" + ENTER)
        await term.until(b"(zizou said nothing)")
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0


async def test_a_chat_wakes_its_engine_before_the_first_line(tmp_path: Path) -> None:
    """The person has only begun to type; another model is woken when it is chosen."""
    async with serving(StubGateway()) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        assert (stub.warmed, stub.asked) == (["zizou"], [])
        term.type(b"/model base" + ENTER)
        await term.until(b"You talk to base.")
        await term.until(PROMPT)
        assert stub.warmed == ["zizou", "base"]
        term.type(CTRL_D)
        assert await term.left() == 0


@pytest.mark.parametrize("args", [("ask", "zizou", "?"), ("chat", "zizou")])
async def test_the_wait_for_an_engine_is_shown_and_taken_away(tmp_path: Path, args: tuple[str, ...]) -> None:
    """A line with the seconds counting, until the first word stands in its place."""
    async with serving(StubGateway(waking=asyncio.Event())) as stub, terminal(stub, tmp_path, *args) as term:
        assert stub.waking
        if args[0] == "chat":
            await term.until(PROMPT)
            term.type(b"hello" + ENTER)
        await term.until("zizou is waking up … ".encode())
        await term.until("\r\x1b[Kzizou is waking up … ".encode())
        stub.waking.set()
        await term.until(b"\r\x1b[Koffside, as ever")
        if args[0] == "chat":
            await term.until(PROMPT)
            term.type(CTRL_D)
        assert await term.left() == 0


async def test_ctrl_c_ends_ask_with_130(tmp_path: Path) -> None:
    """No stack trace, and the answer's line is ended."""
    async with serving(StubGateway(answer="gol " * 2000, pause_s=0.01)) as stub, terminal(stub, tmp_path, "ask", "zizou", "?") as term:
        await term.until(b"gol gol")
        term.type(CTRL_C)
        assert await term.left() == 130
        assert b"Traceback" not in term.seen


async def test_several_people_share_one_keyboard(tmp_path: Path) -> None:
    """The prompt says whose turn it is, and the answer who answers."""
    async with serving(StubGateway()) as stub, terminal(stub, tmp_path, "chat", "zizou", "--as", "Ravi") as term:
        await term.until(b"Ravi>")
        term.type(b"who won?" + ENTER)
        await term.until(b"zizou> ")
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        term.type(b"/as Nico" + ENTER)
        await term.until(b"You are Nico.")
        await term.until(b"Nico> ")
        term.type(b"not you" + ENTER)
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0
    assert stub.asked[1]["messages"][-1]["content"] == "Nico: not you"


async def test_a_pasted_text_is_one_question(tmp_path: Path) -> None:
    """Its lines are not sent one by one."""
    async with serving(StubGateway()) as stub, terminal(stub, tmp_path, "chat", "base") as term:
        await term.until(PROMPT)
        term.type(b"\x1b[200~one\ntwo\n\x1b[201~three" + ENTER)
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0
    assert [body["messages"][-1]["content"] for body in stub.asked] == ["one\ntwo\nthree"]


async def test_a_tab_completes_and_the_next_session_remembers(tmp_path: Path) -> None:
    """A model's name after `/model`; and what was typed, with the key that goes back."""
    async with serving(StubGateway()) as stub:
        async with terminal(stub, tmp_path, "chat", "zizou") as term:
            await term.until(PROMPT)
            term.type(b"/model gre\t")
            await term.until(b"ybeards")
            term.type(ENTER)
            await term.until(b"You talk to greybeards.")
            await term.until(PROMPT)
            term.type(b"a fine question" + ENTER)
            await term.until(b"offside, as ever")
            await term.until(PROMPT)
            term.type(CTRL_D)
            assert await term.left() == 0
        async with terminal(stub, tmp_path, "chat", "zizou") as term:
            await term.until(PROMPT)
            term.type(b"\x1b[A" + ENTER)
            await term.until(b"offside, as ever")
            await term.until(PROMPT)
            term.type(CTRL_D)
            assert await term.left() == 0
    assert [body["messages"][-1]["content"] for body in stub.asked] == ["a fine question"] * 2


async def test_a_window_that_changes_its_size_disturbs_nothing(tmp_path: Path) -> None:
    """Neither a line that is being typed nor an answer that is coming in."""
    async with serving(StubGateway(answer="gol " * 50, pause_s=0.01)) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        term.type(b"a question that is longer")
        await term.until(b"longer")
        term.resize(20)
        term.type(b" than the window" + ENTER)
        await term.until(b"gol gol")
        term.resize(60)
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0
        assert b"Traceback" not in term.heard
    assert stub.asked[0]["messages"][0]["content"] == "a question that is longer than the window"


async def test_a_retry_that_fails_leaves_the_answer(tmp_path: Path) -> None:
    """And a question that failed is asked by it again."""
    async with serving(StubGateway()) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        term.type(b"one" + ENTER)
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        stub.failure = (503, error_body("All engines are busy."), {})
        term.type(b"/retry" + ENTER)
        await term.until(b"All engines are busy.")
        await term.until(PROMPT)
        term.type(b"two" + ENTER)
        await term.until(b"All engines are busy.")
        await term.until(PROMPT)
        stub.failure = None
        term.type(b"/retry" + ENTER)
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        term.type(CTRL_D)
        assert await term.left() == 0
    assert [message["content"] for message in stub.asked[-1]["messages"]] == ["one", "offside, as ever ", "two"]


async def test_no_colour_where_none_is_wanted(tmp_path: Path) -> None:
    """NO_COLOR leaves no colours in what is written."""
    stub = StubGateway()
    async with serving(stub), terminal(stub, tmp_path, "chat", "zizou", "--as", "Ravi", NO_COLOR="1") as term:
        await term.until(b"Ravi>")
        term.type(b"/sing" + ENTER)
        await term.until(b"There is no command")
        await term.until(b"Ravi>")
        term.type(CTRL_D)
        assert await term.left() == 0
        assert b"\x1b[3" not in term.heard
        assert b"\x1b[2m" not in term.heard
