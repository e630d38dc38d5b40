"""`troupe chat` in a real terminal: keys typed into a pseudo-terminal, what appears read from it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.stub_gateway import KEY, StubGateway, error_body, serving

WAIT_S = 30
CTRL_C, CTRL_D, ENTER = b"\x03", b"\x04", b"\r"
PROMPT = b"\x1b[?2004h"  # bracketed paste is switched on when, and only when, a line can be typed
# The pseudo-terminal becomes the process's controlling one, so that Ctrl-C is a signal exactly when it is one for a person.
IN_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from clients.cli.main import main; main(prog_name='troupe')"


@dataclass
class Terminal:
    """A running `troupe` and the person's side of its terminal."""

    process: asyncio.subprocess.Process
    side: int
    seen: bytearray
    arrived: asyncio.Event

    def type(self, keys: bytes) -> None:
        os.write(self.side, keys)

    async def until(self, text: bytes) -> None:
        """Until `text` has appeared since the last call; forgets what stood before it."""
        async with asyncio.timeout(WAIT_S):
            while text not in self.seen:
                self.arrived.clear()
                await self.arrived.wait()
        del self.seen[: self.seen.index(text) + len(text)]


@asynccontextmanager
async def _terminal(stub: StubGateway, home: Path, *args: str) -> AsyncIterator[Terminal]:
    mine, theirs = os.openpty()
    env = os.environ | {
        "TROUPE_URL": stub.url,
        "TROUPE_API_KEY": KEY,
        "TROUPE_HOME": str(home),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IN_TERMINAL, *args, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    os.close(theirs)
    terminal = Terminal(process, mine, bytearray(), asyncio.Event())

    def read() -> None:
        try:
            terminal.seen.extend(os.read(mine, 65536))
        except OSError:  # the other side is closed
            asyncio.get_running_loop().remove_reader(mine)
        terminal.arrived.set()

    asyncio.get_running_loop().add_reader(mine, read)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(mine)
        os.close(mine)


async def test_ctrl_c_stops_a_reply_and_ctrl_d_leaves(tmp_path: Path) -> None:
    """After Ctrl-C in a reply the same chat goes on, remembers what it saw of it, and the gateway is told to stop."""
    async with serving(StubGateway(answer="gol " * 2000, pause_s=0.01)) as stub, _terminal(stub, tmp_path, "chat", "zizou") as term:
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
        async with asyncio.timeout(WAIT_S):
            assert await term.process.wait() == 0
    assert [message["role"] for message in stub.asked[1]["messages"]] == ["user", "assistant", "user"]
    assert stub.asked[1]["messages"][1]["content"].startswith("gol gol")
    assert stub.asked[1]["messages"][2]["content"] == "better?"
    assert stub.gone == 1


async def test_a_failed_reply_is_said_and_the_chat_goes_on(tmp_path: Path) -> None:
    """The history file is the owner's alone."""
    async with serving(StubGateway()) as stub, _terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        stub.failure = (503, error_body("All engines are busy."), {})
        term.type(b"hello" + ENTER)
        await term.until(b"All engines are busy.")
        stub.failure = None
        term.type(b"hello again" + ENTER)
        await term.until(b"offside, as ever")
        await term.until(PROMPT)
        term.type(CTRL_D)
        async with asyncio.timeout(WAIT_S):
            assert await term.process.wait() == 0
    history = tmp_path / "chat_history"
    assert "hello again" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


async def test_a_chat_wakes_its_engine_before_the_first_line(tmp_path: Path) -> None:
    """The person has only begun to type; another model is woken when it is chosen."""
    async with serving(StubGateway()) as stub, _terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        assert (stub.warmed, stub.asked) == (["zizou"], [])
        term.type(b"/model base" + ENTER)
        await term.until(b"You talk to base.")
        await term.until(PROMPT)
        assert stub.warmed == ["zizou", "base"]
        term.type(CTRL_D)
        async with asyncio.timeout(WAIT_S):
            assert await term.process.wait() == 0


@pytest.mark.parametrize("args", [("ask", "zizou", "?"), ("chat", "zizou")])
async def test_the_wait_for_an_engine_is_shown_and_taken_away(tmp_path: Path, args: tuple[str, ...]) -> None:
    """A line with the seconds counting, until the first word stands in its place."""
    async with serving(StubGateway(waking=asyncio.Event())) as stub, _terminal(stub, tmp_path, *args) as term:
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
        async with asyncio.timeout(WAIT_S):
            assert await term.process.wait() == 0


async def test_ctrl_c_ends_ask_with_130(tmp_path: Path) -> None:
    """No stack trace, and the answer's line is ended."""
    async with serving(StubGateway(answer="gol " * 2000, pause_s=0.01)) as stub, _terminal(stub, tmp_path, "ask", "zizou", "?") as term:
        await term.until(b"gol gol")
        term.type(CTRL_C)
        async with asyncio.timeout(WAIT_S):
            assert await term.process.wait() == 130
        assert b"Traceback" not in term.seen
