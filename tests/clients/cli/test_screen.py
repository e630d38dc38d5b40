"""What stands on the screen in the end, as a terminal emulator shows it (tmux), and how many bytes it took to get there."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.clients.cli.pseudo_terminal import CTRL_D, ENTER, PROMPT, WAIT_S, terminal
from tests.clients.cli.shell import PROGRAM
from tests.clients.stub_gateway import KEY, StubGateway, serving

TMUX = shutil.which("tmux")


class Screen:
    """A window of tmux, on a server of its own."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def tmux(self, *args: str) -> str:
        assert TMUX is not None
        process = await asyncio.create_subprocess_exec(
            TMUX, "-f", "/dev/null", "-S", str(self._socket), *args, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def lines(self) -> list[str]:
        return [line.rstrip() for line in (await self.tmux("capture-pane", "-p")).rstrip().splitlines()]

    async def until(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """The lines, as soon as they are as wanted."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(WAIT_S):
                while not seen(lines := await self.lines()):  # noqa: ASYNC110 (tmux has nothing to wait for)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"the screen shows {lines}") from None
        return lines


@pytest.fixture
async def screen(tmp_path: Path) -> AsyncIterator[Screen]:
    if TMUX is None:
        pytest.skip("tmux is not on this machine (Debian's package tmux)")
    shown = Screen(tmp_path / "tmux")
    yield shown
    await shown.tmux("kill-server")


async def _open(screen: Screen, stub: StubGateway, home: Path, *args: str, columns: int) -> None:
    """`troupe` in the window; it stays open when the command has ended."""
    variables = {"TROUPE_URL": stub.url, "TROUPE_API_KEY": KEY, "TROUPE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    named = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    await screen.tmux("new-session", "-d", "-x", str(columns), "-y", "24", *named, "cat")
    await screen.tmux("set-option", "-g", "remain-on-exit", "on")
    await screen.tmux("respawn-pane", "-k", *named, "env", "-u", "COLUMNS", "-u", "LINES", sys.executable, "-c", PROGRAM, *args)


async def test_a_comparison_is_drawn_in_its_place(screen: Screen, tmp_path: Path) -> None:
    """However often it was drawn: each answer stands there once, side by side, whole."""
    stub = StubGateway(answers={"zizou": "gol " * 60 + "END", "base": "nil " * 40 + "END"}, pause_s=0.02)
    async with serving(stub):
        await _open(screen, stub, tmp_path, "compare", "zizou", "base", "who?", columns=90)
        lines = await screen.until(lambda lines: " ".join(lines).count("END") == 2)
    text = " ".join(lines)
    assert lines[0].split() == ["zizou", "base"]
    assert (text.count("gol"), text.count("nil"), text.count("zizou")) == (60, 40, 1)


async def test_a_window_may_become_narrower_and_wider_while_one_types(screen: Screen, tmp_path: Path) -> None:
    """The line is there once, with every word, and so is the answer."""
    stub = StubGateway(answer="never offside")
    async with serving(stub):
        await _open(screen, stub, tmp_path, "chat", "zizou", columns=80)
        await screen.until(lambda lines: bool(lines) and lines[-1] == ">")
        await screen.tmux("send-keys", "-l", "a question of many words that wraps somewhere")
        await screen.until(lambda lines: "somewhere" in lines[-1])
        await screen.tmux("resize-window", "-x", "30", "-y", "24")
        await screen.until(lambda lines: "somewhere" in "".join(lines) and "many words that wraps" not in " ".join(lines))
        await screen.tmux("resize-window", "-x", "100", "-y", "24")
        await screen.tmux("send-keys", "Enter")
        lines = await screen.until(lambda lines: "never offside" in lines and lines[-1] == ">")
        await screen.tmux("send-keys", "C-d")
    assert stub.asked[0]["messages"][0]["content"] == "a question of many words that wraps somewhere"
    assert " ".join(lines).count("never offside") == 1


async def test_a_pasted_program_is_shown_with_its_lines(screen: Screen, tmp_path: Path) -> None:
    """As tmux pastes: in brackets, which tell it from what is typed."""
    stub = StubGateway(answer="a loop")
    async with serving(stub):
        await _open(screen, stub, tmp_path, "chat", "base", columns=80)
        await screen.until(lambda lines: bool(lines) and lines[-1] == ">")
        await screen.tmux("set-buffer", "for x in y:\n    go(x)")
        await screen.tmux("paste-buffer", "-p")
        lines = await screen.until(lambda lines: "go(x)" in lines[-1])
        assert lines[-2:] == ["> for x in y:", "…     go(x)"]
        assert stub.asked == []
        await screen.tmux("send-keys", "Enter")
        await screen.until(lambda lines: "a loop" in lines)
    assert stub.asked[0]["messages"][0]["content"] == "for x in y:\n    go(x)"


async def test_little_is_written_for_a_slow_link(tmp_path: Path) -> None:
    """An answer costs its own bytes and a line's worth more, a key that is typed a few dozen."""
    answer = "word " * 400
    async with serving(StubGateway(answer=answer)) as stub, terminal(stub, tmp_path, "chat", "zizou") as term:
        await term.until(PROMPT)
        await term.until(b"\x1b[?25h")
        before, typed = len(term.heard), b"WXYZ " * 8 + b"Q"
        for key in typed:
            term.type(bytes([key]))
        await term.until(b"Q")
        assert (len(term.heard) - before) / len(typed) < 64
        term.type(ENTER)
        await term.until(b"word")
        start = len(term.heard) - len(term.seen) - 4
        await term.until(PROMPT)
        written = len(term.heard) - len(term.seen) - start
        assert len(answer) <= written < len(answer) + 200
        term.type(CTRL_D)
        assert await term.left() == 0
