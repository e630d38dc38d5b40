"""The worker under the official SDK's own loop, against a stand-in of the platform; one worker for the whole file."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.deploy.runpod.platform import Job, Platform
from tests.deploy.runpod.stub_engine import EMOJI

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[3]
ENGINE = "zizou-0123456789abcdef"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def platform() -> AsyncIterator[Platform]:
    # A unix socket's path is short; pytest's temporary folders need not be.
    with tempfile.TemporaryDirectory(prefix="troupe-") as folder:
        stand_in = Platform(worker_log=Path(folder) / "worker.log")
        async with stand_in.running():
            environment = {
                **os.environ,
                **stand_in.environment,
                "TROUPE_RUNPOD_FOLDER": folder,
                "TROUPE_RUNPOD_CONCURRENCY": "4",
                "TROUPE_RUNPOD_COMMAND": json.dumps([sys.executable, "-m", "tests.deploy.runpod.stub_engine"]),
            }
            with stand_in.worker_log.open("wb") as log:
                worker = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "deploy.runpod.handler", cwd=ROOT, env=environment, stdout=log, stderr=log
                )
            yield stand_in
            worker.terminate()
            await worker.wait()


def chat(prompt: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"openai_route": "/v1/chat/completions", "openai_input": {"model": ENGINE, "messages": messages, **body}}


async def outputs(job: Job) -> list[Any]:
    result = await job.result()
    assert set(result) == {"output"}, result
    assert result["output"] == job.outputs
    return job.outputs


async def test_an_answer_is_one_object(platform: Platform) -> None:
    """A call that is not streamed is one output, a status and a body."""
    assert await outputs(platform.submit(chat("hello"))) == [
        {"status": 200, "body": {"model": ENGINE, "choices": [{"message": {"content": EMOJI}}]}}
    ]


async def test_a_stream_arrives_in_whole_events(platform: Platform) -> None:
    """Characters that the engine sent in halves arrive whole, and every piece ends where an event ends."""
    pieces = await outputs(platform.submit(chat("hello", stream=True)))
    assert "".join(pieces) == f"data: {EMOJI}\n\ndata: [DONE]\n\n"
    assert all(piece.endswith("\n\n") for piece in pieces)


async def test_an_engines_refusal_keeps_its_status_and_shape(platform: Platform) -> None:
    """An error of the engine is its own JSON under its own status; the job itself is completed."""
    body = {"error": {"message": "too long", "type": "BadRequestError", "code": 400}}
    assert await outputs(platform.submit(chat("too long", stream=True))) == [{"status": 400, "body": body}]


@pytest.mark.parametrize(
    ("job_input", "status", "param"),
    [
        ({"openai_route": "/v1/load_lora_adapter", "openai_input": {"lora_name": "x", "lora_path": "/"}}, 404, "openai_route"),
        ({"openai_route": "/sleep"}, 404, "openai_route"),
        ({"route": "/v1/models", "method": "GET"}, 404, "openai_route"),
        ({"openai_route": "/v1/chat/completions", "openai_input": {"model": "../zizou"}}, 404, "model"),
        ("hello", 400, "input"),
    ],
)
async def test_what_the_worker_does_not_do_is_refused(platform: Platform, job_input: Any, status: int, param: str) -> None:
    """Other routes, other names and other shapes get an error in OpenAI's shape that names the field."""
    (output,) = await outputs(platform.submit(job_input))
    assert output["status"] == status
    assert output["body"]["error"]["param"] == param
    assert output["body"]["error"]["type"] == "invalid_request_error"


async def test_jobs_run_side_by_side(platform: Platform) -> None:
    """The worker takes several jobs at once, so one endless stream does not hold up the next."""
    endless = platform.submit(chat("forever", stream=True))
    await asyncio.wait_for(endless.first_output.wait(), 30)
    assert len(await outputs(platform.submit(chat("hello")))) == 1
    assert max(platform.batch_sizes) == 4
    platform.cancel(endless)


async def test_a_cancelled_job_closes_its_request(platform: Platform) -> None:
    """Cancelling a job stops the engine's work on it, which is what a GPU costs money for."""
    before = await closed_requests(platform)
    endless = platform.submit(chat("forever", stream=True))
    await asyncio.wait_for(endless.first_output.wait(), 30)
    platform.cancel(endless)
    async with asyncio.timeout(30):
        while await closed_requests(platform) <= before:
            pass
    assert not endless.done.done()


async def closed_requests(platform: Platform) -> int:
    (output,) = await outputs(platform.submit({"openai_route": "/v1/models"}))
    return int(output["body"]["closed"])


async def test_a_stream_that_ends_early_says_so(platform: Platform) -> None:
    """A stream that the engine ends without saying that it is complete ends with an error event."""
    assert_cut_short(await outputs(platform.submit(chat("silent end", stream=True))))


async def test_the_worker_outlives_its_engine(platform: Platform) -> None:
    """The engine's death ends a stream with an error event; until the next one is ready jobs are refused, and then answered."""
    assert_cut_short(await outputs(platform.submit(chat("die", stream=True))))
    async with asyncio.timeout(60):
        while (answer := (await outputs(platform.submit(chat("hello"))))[0])["status"] != 200:
            assert answer["status"] in (502, 503)
    assert answer["body"]["model"] == ENGINE


async def test_conversations_are_not_logged(platform: Platform) -> None:
    """The worker's own output tells which job ran, and nothing of what was said."""
    job = platform.submit(chat("a secret", stream=True))
    await outputs(job)
    logged = platform.worker_log.read_text()
    assert job.id in logged
    assert "goal" not in logged
    assert "a secret" not in logged


def assert_cut_short(pieces: list[str]) -> None:
    *_, last = "".join(pieces).rstrip("\n").split("\n\n")
    kind, data = last.split("\n")
    assert kind == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["code"] == "engine_failed"
