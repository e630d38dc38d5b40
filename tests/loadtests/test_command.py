import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from loadtests.settings import LoadSettings, is_loopback
from tests.loadtests.stub_server import running_stub

RUN = (sys.executable, "-c", "from loadtests.command import load; load()")
ROOT = Path(__file__).parents[2]


async def start(url: str, *arguments: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "TROUPE_URL": url, "TROUPE_API_KEY": "", "COLUMNS": "160"}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*RUN, *arguments, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe)


async def finish(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_short_load_reports_every_model_as_table_and_json() -> None:
    """The default asks all models; JSON goes to stdout alone, with a schema version, and the table to stderr."""
    async with running_stub() as stub:
        process = await start(stub.url, "--rate", "40", "--duration", "0.5", "--warmup", "0.1", "--json", "-")
        code, out, err = await finish(process)
    assert code == 0, err
    report = json.loads(out)
    assert report["schema"] == 1
    assert set(report["models"]) == {"fine", "also-fine"}
    total = report["total"]
    assert total["succeeded"] == total["scheduled"] > 0
    assert total["completion_tokens"] == 3 * total["succeeded"]
    assert report["client"]["lag"]["count"] == total["scheduled"]
    assert "also-fine" in err
    assert "TTFT" in err


async def test_ctrl_c_prints_what_was_measured_so_far(tmp_path: Path) -> None:
    """One interrupt ends the run early with its report and the exit code of an interrupt."""
    path = tmp_path / "report.json"
    async with running_stub() as stub:
        process = await start(stub.url, "--model", "fine", "--rate", "50", "--duration", "600", "--warmup", "0", "--json", str(path))
        async with asyncio.timeout(30):
            await stub.asked_often.wait()
        process.send_signal(signal.SIGINT)
        code, _, err = await finish(process)
    assert code == 130, err
    report = json.loads(path.read_text())
    assert report["interrupted"] is True
    assert report["total"]["succeeded"] > 0


async def test_a_run_without_one_answer_fails() -> None:
    """If nothing succeeded, the report says why and the exit code is not 0."""
    async with running_stub() as stub:
        process = await start(stub.url, "--model", "refused", "--rate", "40", "--duration", "0.3", "--warmup", "0")
        code, _, err = await finish(process)
    assert code == 1
    assert "http 429" in err


@pytest.mark.parametrize(
    ("url", "arguments", "sentence", "expected_code"),
    [
        ("http://gpu.example.org", (), "--yes-this-is-my-server", 1),
        ("ftp://127.0.0.1", (), "http://host:port", 1),
        ("http://127.0.0.1:9", ("--model", "zizou=0"), "MODEL=WEIGHT", 2),
        ("http://127.0.0.1:9", (), "Nobody answers", 3),
    ],
)
async def test_what_cannot_work_is_refused_in_one_sentence(url: str, arguments: tuple[str, ...], sentence: str, expected_code: int) -> None:
    """A foreign server, a bad address, a bad weight and an absent server each end before any load, without a traceback."""
    code, out, err = await finish(await start(url, *arguments))
    assert code == expected_code
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8000", True),
        ("http://localhost:8000", True),
        ("http://localhost.example.org", False),
        ("http://10.0.0.1", False),
        ("https://127.0.0.1.example.org", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, expected: bool) -> None:
    """Names that merely look local are not."""
    assert is_loopback(url) is expected


def test_a_url_may_carry_its_v1() -> None:
    """Users of the OpenAI SDK write `/v1`; both spellings name the same server."""
    assert LoadSettings(url="http://127.0.0.1:8000/v1/").url == "http://127.0.0.1:8000"
