"""`troupe up` as a process, from its greeting to its end by a signal. Its engine is a fake one that runs elsewhere."""

import asyncio
import json
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import IO

import httpx
import pytest

from loadtests.fake_engine import FakeEngine, FakeSettings
from server.fleet.leftovers import sweep
from tests.server.gateway.stage import CHAT_KEY, write_base

TROUPE = str(Path(sys.executable).with_name("troupe"))
CHAT = "/v1/chat/completions"
ASK = {"model": "base", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Up:
    process: asyncio.subprocess.Process
    url: str
    said: str

    async def end(self, *signals: signal.Signals) -> int:
        for each in signals:
            self.process.send_signal(each)
        async with asyncio.timeout(60):
            return await self.process.wait()


@asynccontextmanager
async def running(
    tmp_path: Path, engine: FakeEngine, *, errors: IO[bytes] | int = asyncio.subprocess.DEVNULL, **settings: str | None
) -> AsyncIterator[Up]:
    """A setting of None is not set. `errors`: where standard error goes."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    base = tmp_path / "base"
    if not base.exists():
        write_base(base)
    told: dict[str, str | None] = {
        "TROUPE_HOME": str(tmp_path / "home"),
        "TROUPE_PORT": "0",
        "TROUPE_BASE": str(base),
        "TROUPE_ENGINE_QUANTIZATION": "none",
        "TROUPE_ENGINE_URL": engine.url,
        "TROUPE_API_KEY": CHAT_KEY,
        **settings,
    }
    environment = inherited | {name: value for name, value in told.items() if value is not None}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(TROUPE, "up", env=environment, stdout=pipe, stderr=errors)
    assert process.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(60):
            while "Ctrl-C" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, said
                said += line
        found = re.search(r"URL\s+(http://\S+)/v1", said)
        assert found is not None
        yield Up(process, found[1], said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        sweep(tmp_path / "home")


@pytest.mark.parametrize("each", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_a_good_end(tmp_path: Path, each: signal.Signals) -> None:
    """Exit code 0, also with a connection that is open and asks nothing; the greeting has said whose the engine is."""
    async with FakeEngine(FakeSettings()) as engine, running(tmp_path, engine) as up, httpx.AsyncClient(base_url=up.url) as http:
        assert "somebody else's" in up.said
        assert (await http.get("/health/live")).status_code == 200
        assert await up.end(each) == 0


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


async def test_its_log_is_lines_of_json_and_its_folders_are_its_owner_s(tmp_path: Path) -> None:
    """One for each request; a line of any library too. Nobody else on this machine may look for the engine's socket, or read a key."""
    home = tmp_path / "home"
    with tempfile.TemporaryDirectory(prefix="t-") as temporary, (tmp_path / "log").open("wb") as errors:
        async with (
            FakeEngine() as engine,
            running(tmp_path, engine, errors=errors, TMPDIR=temporary) as up,
            httpx.AsyncClient(headers={"authorization": f"Bearer {CHAT_KEY}"}) as http,
        ):
            answered = await http.post(up.url + CHAT, json=ASK)
            modes = [mode(path) for path in (*glob(f"{temporary}/troupe-*"), str(home), str(home / "keys"))]
            assert await up.end(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("request") == answered.headers["x-request-id"]] == [200]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    assert modes == [0o700] * 3


async def test_the_admin_key_is_shown_once(tmp_path: Path) -> None:
    """By the first start, and it opens what the next start serves; the chat key of the greeting opens too, each time."""
    said = []
    for _ in range(2):
        async with (
            FakeEngine(FakeSettings()) as engine,
            running(tmp_path, engine, TROUPE_API_KEY=None) as up,
            httpx.AsyncClient(base_url=up.url, timeout=60) as http,
        ):
            said.append(up.said)
            (admin,) = re.findall(r"^  (tr_\S+)$", said[0], flags=re.MULTILINE)
            chat = re.search(r"key\s+(tr_\S+)", up.said)
            assert chat is not None
            status = await http.get("/admin/v1/status", headers={"authorization": f"Bearer {admin}"})
            answered = await http.post(CHAT, json=ASK, headers={"authorization": f"Bearer {chat[1]}"})
            assert (status.status_code, answered.status_code) == (200, 200)
            assert await up.end(signal.SIGTERM) == 0
    assert said[0].count(admin) == 1
    assert admin not in said[1]


async def test_a_second_signal_ends_what_still_runs(tmp_path: Path) -> None:
    """After the first one the doors are open and say that it is not ready; after the second, streams end in an error event. Exit code 0."""
    headers = {"authorization": f"Bearer {CHAT_KEY}"}
    async with (
        FakeEngine(FakeSettings(inter_token=0.05, tokens=100_000)) as engine,
        running(tmp_path, engine, TROUPE_DRAIN_TIMEOUT="600") as up,
        httpx.AsyncClient(base_url=up.url, headers=headers, timeout=60) as http,
        http.stream("POST", CHAT, json={**ASK, "stream": True}) as response,
    ):
        lines = response.aiter_lines()
        await anext(lines)
        up.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            while (await http.get("/health/ready")).status_code != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await http.post(CHAT, json=ASK)).status_code == 503
        up.process.send_signal(signal.SIGINT)
        said = [line async for line in lines if line]
        assert '"code":"engine_unavailable"' in said[-1]
        assert await up.end() == 0
