"""Programs that know nothing of Troupe, unmodified, on the real gateway with a stand-in for its engine: simonw's `llm`, openai's SDK.

What they are told is what `troupe models --long` says: an address and a key.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.gateway.settings import GatewaySettings
from tests.clients.cli.shell import Shell
from tests.server.gateway.stage import CHAT_KEY, CONTEXT, Stage, open_stage, read_tiny_base

Llm = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    base = read_tiny_base(tmp_path / "base")
    async with open_stage(tmp_path, base, GatewaySettings(home=tmp_path, api_key=SecretStr(CHAT_KEY), context_length=CONTEXT)) as opened:
        yield opened


@pytest.fixture
def llm(stage: Stage, tmp_path: Path) -> Llm:
    """`llm openai endpoint URL …` with a home of its own: exit code, stdout, stderr."""

    async def run(*args: str, key: str = CHAT_KEY, stdin: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llm", "openai", "endpoint", f"http://127.0.0.1:{stage.port}/v1", "--key", key, *args),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"LLM_USER_PATH": str(tmp_path / "llm")},
        )
        out, err = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode(), err.decode()

    return run


async def test_it_lists_the_models(llm: Llm) -> None:
    """By the names that we give them."""
    code, out, err = await llm("--models")
    assert code == 0, err
    assert {"base", "greybeards", "zizou"} <= set(out.split())


@pytest.mark.parametrize("how", [(), ("--responses",)])
async def test_it_gets_an_answer(llm: Llm, how: tuple[str, ...]) -> None:
    """Streamed, and by the younger API."""
    code, out, err = await llm("-m", "zizou", "-s", "be short", *how, "who wins tonight?")
    assert (code, bool(out.strip())) == (0, True), err


async def test_it_pipes_and_sets_parameters(llm: Llm) -> None:
    """A question on standard input, with options that we know by the same names, and the answer as a whole."""
    options = ("-o", "max_tokens", "5", "-o", "temperature", "0", "-o", "seed", "3", "--no-stream")
    code, out, err = await llm("-m", "zizou@1", *options, stdin="who wins?")
    assert (code, bool(out.strip())) == (0, True), err


async def test_it_shows_what_we_say_went_wrong(llm: Llm) -> None:
    """Our sentence, not a stack trace."""
    unknown, shut_out = await asyncio.gather(llm("-m", "nobody", "hello"), llm("-m", "zizou", "hello", key="tr_wrong"))
    assert (unknown[0], "does not exist" in unknown[2], "Traceback" in unknown[2]) == (1, True, False)
    assert (shut_out[0], "Traceback" in shut_out[2]) == (1, False)


async def test_a_configured_model_is_ours(llm: Llm, stage: Stage, tmp_path: Path) -> None:
    """The other documented way: a model in `extra-openai-models.yaml`, called by its own name."""
    (tmp_path / "llm").mkdir(exist_ok=True)
    (tmp_path / "llm" / "extra-openai-models.yaml").write_text(
        f"- model_id: our-zizou\n  model_name: zizou\n  api_base: http://127.0.0.1:{stage.port}/v1\n  api_key_name: troupe\n"
    )
    (tmp_path / "llm" / "keys.json").write_text(json.dumps({"troupe": CHAT_KEY}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llm", "-m", "our-zizou", "--no-log", "who wins?"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"LLM_USER_PATH": str(tmp_path / "llm")},
    )
    out, err = await process.communicate()
    assert (process.returncode, bool(out.strip())) == (0, True), err


async def test_the_line_that_we_print_is_enough_for_openais_sdk(stage: Stage, tmp_path: Path) -> None:
    """Pasted into a shell as it is, a program of two lines finds its way."""
    shell = Shell(f"http://127.0.0.1:{stage.port}", tmp_path)
    listed = await shell.pipe("models", "--long", more={"TROUPE_API_KEY": CHAT_KEY})
    line = listed.stdout.splitlines()[-1].partition(": ")[2]
    program = "from openai import OpenAI; print(OpenAI().responses.create(model='zizou', input='who wins?').output_text)"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f'{line}; exec {sys.executable} -c "{program}"'),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TROUPE_API_KEY": CHAT_KEY},
    )
    out, err = await process.communicate()
    assert (process.returncode, bool(out.strip())) == (0, True), err.decode()
