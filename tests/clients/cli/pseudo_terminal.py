"""A person at a terminal: keys typed into a pseudo-terminal, what appears read from it."""

import asyncio
import os
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.stub_gateway import KEY, StubGateway

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
    heard: bytearray = field(default_factory=bytearray)
    """Everything that appeared."""

    def type(self, keys: bytes) -> None:
        os.write(self.side, keys)

    def resize(self, columns: int, rows: int = 24) -> None:
        """Which the process hears of as it does when somebody drags a window's corner."""
        termios.tcsetwinsize(self.side, (rows, columns))

    async def left(self) -> int:
        """The exit code, once the process ended by itself."""
        async with asyncio.timeout(WAIT_S):
            return await self.process.wait()

    async def until(self, text: bytes) -> None:
        """Until `text` has appeared since the last call; forgets what stood before it."""
        async with asyncio.timeout(WAIT_S):
            while text not in self.seen:
                self.arrived.clear()
                await self.arrived.wait()
        del self.seen[: self.seen.index(text) + len(text)]


@asynccontextmanager
async def terminal(stub: StubGateway, home: Path, *args: str, columns: int = 80, **more: str) -> AsyncIterator[Terminal]:
    """`troupe` with these arguments in a terminal of its own; `more` are further variables."""
    async with opened([sys.executable, "-c", IN_TERMINAL, *args], stub, home, columns=columns, **more) as term:
        yield term


@asynccontextmanager
async def opened(command: Sequence[str], stub: StubGateway, home: Path, *, columns: int = 80, **more: str) -> AsyncIterator[Terminal]:
    """Any command in a terminal that is 24 lines high, beside the stub; killed if it still runs at the end."""
    mine, theirs = os.openpty()
    termios.tcsetwinsize(mine, (24, columns))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    env = inherited | {
        "TROUPE_URL": stub.url,
        "TROUPE_API_KEY": KEY,
        "TROUPE_HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdin=theirs, stdout=theirs, stderr=theirs, env=env | more, start_new_session=True
    )
    os.close(theirs)
    term = Terminal(process, mine, bytearray(), asyncio.Event())

    def read() -> None:
        try:
            appeared = os.read(mine, 65536)
            term.seen.extend(appeared)
            term.heard.extend(appeared)
        except OSError:  # the other side is closed
            asyncio.get_running_loop().remove_reader(mine)
        term.arrived.set()

    asyncio.get_running_loop().add_reader(mine, read)
    try:
        yield term
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(mine)
        os.close(mine)
