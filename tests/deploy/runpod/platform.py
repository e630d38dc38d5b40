"""The part of RunPod that a worker talks to, on this machine: job queue, stop channel, results, pings.

Written from what the SDK's worker loop calls. Jobs are taken in batches, results come back per job; nothing else is promised.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web


@dataclass
class Job:
    """What came back for one job so far: the outputs streamed, and the final post once there is one."""

    id: str
    outputs: list[Any] = field(default_factory=list)
    first_output: asyncio.Event = field(default_factory=asyncio.Event)
    done: "asyncio.Future[dict[str, Any]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def result(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            return await self.done


class Platform:
    """`worker_log` is where whoever starts the worker sends its output, which the platform shows to its customer."""

    def __init__(self, *, worker_log: Path) -> None:
        self.worker_log = worker_log
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._stops: asyncio.Queue[str] = asyncio.Queue()
        self._jobs: dict[str, Job] = {}
        self.batch_sizes: set[int] = set()
        self.port = 0

    def submit(self, job_input: Any) -> Job:
        job = Job(f"job-{len(self._jobs)}")
        self._jobs[job.id] = job
        self._waiting.put_nowait({"id": job.id, "input": job_input})
        return job

    def cancel(self, job: Job) -> None:
        self._stops.put_nowait(job.id)

    @property
    def environment(self) -> dict[str, str]:
        """What the platform sets in a worker. The `?` parts matter: the SDK appends `&…`."""
        root = f"http://127.0.0.1:{self.port}/v2/endpoint"
        return {
            "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?gpu=x",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?gpu=x",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{root}/job-stream/$RUNPOD_POD_ID/$ID?gpu=x",
            "RUNPOD_WEBHOOK_PING": f"{root}/ping/$RUNPOD_POD_ID",
            "RUNPOD_POD_ID": "pod",
            "RUNPOD_AI_API_KEY": "stand-in",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        }

    async def _take(self, request: web.Request) -> web.Response:
        size = int(request.query.get("batch_size", "1"))
        self.batch_sizes.add(size)
        try:
            jobs = [await asyncio.wait_for(self._waiting.get(), 1.0)]
        except TimeoutError:
            return web.Response(status=204)
        while len(jobs) < size and not self._waiting.empty():
            jobs.append(self._waiting.get_nowait())
        return web.json_response(jobs if "job-take-batch" in request.path else jobs[0])

    async def _stop(self, request: web.Request) -> web.Response:
        try:
            return web.json_response({"jobsToStop": [await asyncio.wait_for(self._stops.get(), 1.0)]})
        except TimeoutError:
            return web.Response(status=204)

    async def _stream(self, request: web.Request) -> web.Response:
        job = self._jobs[request.match_info["job"]]
        job.outputs.append(json.loads(await request.text())["output"])
        job.first_output.set()
        return web.Response()

    async def _done(self, request: web.Request) -> web.Response:
        self._jobs[request.match_info["job"]].done.set_result(json.loads(await request.text()))
        return web.Response()

    async def _ping(self, request: web.Request) -> web.Response:
        return web.Response()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application()
        root = "/v2/endpoint"
        app.add_routes(
            [
                web.get(root + "/job-take/{worker}", self._take),
                web.get(root + "/job-take-batch/{worker}", self._take),
                web.get(root + "/job-stop/{worker}", self._stop),
                web.post(root + "/job-stream/{worker}/{job}", self._stream),
                web.post(root + "/job-done/{worker}/{job}", self._done),
                web.get(root + "/ping/{worker}", self._ping),
            ]
        )
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()
