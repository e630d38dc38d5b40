"""How commands end where what they read or write is not as it should be, and where somebody interrupts them."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.clients.cli.pseudo_terminal import CTRL_C, CTRL_D, WAIT_S, Terminal, terminal
from tests.clients.cli.shell import PROGRAM, Piped, Shell
from tests.clients.stub_gateway import StubGateway, serving

ASK = ("ask", "zizou", "who won?")


async def _redirected(shell: Shell, how: str, *args: str, **more: str) -> Piped:
    """`troupe` with these arguments and a redirection of bash's."""
    command = ("bash", "-c", f'exec "$@" {how}', "bash", sys.executable, "-c", PROGRAM, *args)
    told = {name: value for name, value in {**os.environ, **shell.environment(), **more}.items() if value is not None}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=told)
    out, err = await process.communicate()
    return Piped(process.returncode or 0, out.decode(), err.decode())


async def test_nothing_is_read_from_a_closed_input(stub: StubGateway, shell: Shell) -> None:
    """A daemon's child may have none: a question is asked as it stands, and no question is wrong usage."""
    assert await _redirected(shell, "<&-", *ASK) == Piped(0, "offside, as ever \n", "")
    without = await _redirected(shell, "<&-", "ask", "zizou")
    assert (without.exit_code, without.stderr.splitlines()[-1]) == (2, "Error: The question is empty.")
    assert await _redirected(shell, "<&-", "chat", "zizou") == Piped(0, "", "")


@pytest.mark.parametrize("args", [ASK, ("models",), ("doctor",), ("compare", "zizou", "base", "who won?")], ids=lambda args: args[0])
async def test_an_answer_that_nobody_can_read_is_a_failure(stub: StubGateway, shell: Shell, args: tuple[str, ...]) -> None:
    """One sentence where the output is closed or its disk is full."""
    assert await _redirected(shell, ">&-", *args) == Piped(1, "", "Error: The answer cannot be written: standard output is closed.\n")
    full = await _redirected(shell, ">/dev/full", *args)
    assert full == Piped(1, "", "Error: The answer cannot be written: No space left on device.\n")


async def test_a_bot_needs_no_output(stub: StubGateway, shell: Shell) -> None:
    """A daemon's may be closed; what stops it here is what would stop it anywhere."""
    ended = await _redirected(shell, ">&-", "bot")
    assert (ended.exit_code, "TROUPE_BOT_TOKEN is not set" in ended.stderr) == (1, True)


async def test_a_sign_that_the_terminal_does_not_know_is_a_question_mark(stub: StubGateway, shell: Shell) -> None:
    """Whatever a model writes: the rest of its answer comes."""
    stub.answer = "läuft 🙃 bei dir"
    assert await _redirected(shell, "", *ASK, PYTHONIOENCODING="ascii:strict") == Piped(0, "l?uft ? bei dir \n", "")


@pytest.mark.parametrize(
    ("args", "asked"),
    [(("compare", "zizou", "base", "?", "--blind"), b"if neither is: "), (("config", "set"), b"]: ")],
    ids=("vote", "set"),
)
@pytest.mark.parametrize(("key", "code"), [(CTRL_C, 130), (CTRL_D, 1)], ids=("ctrl-c", "ctrl-d"))
async def test_ctrl_c_at_a_question_is_code_130(tmp_path: Path, args: tuple[str, ...], asked: bytes, key: bytes, code: int) -> None:
    """As everywhere else; who has nothing more to say has not interrupted anything."""
    async with serving(StubGateway()) as stub, terminal(stub, tmp_path, *args) as term:
        await term.until(asked)
        assert await _pressed(term, key) == code
        assert b"Traceback" not in term.heard


async def test_ctrl_c_ends_a_look_with_130(tmp_path: Path) -> None:
    """While the model is silent."""
    thinking = asyncio.Event()
    async with serving(StubGateway(thinking=thinking)) as stub, terminal(stub, tmp_path, "doctor", "--ask", "zizou") as term:
        async with asyncio.timeout(20):
            await stub.was_asked.wait()
        assert await _pressed(term, CTRL_C) == 130
        thinking.set()


async def _pressed(term: Terminal, key: bytes) -> int:
    """The exit code. Python reads over a Ctrl-C in the moment before it listens: then it is pressed once more, as a person would."""
    async with asyncio.timeout(WAIT_S):
        while True:
            term.type(key)
            with suppress(TimeoutError):
                return await asyncio.wait_for(term.left(), 2)
