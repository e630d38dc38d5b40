"""`python -m deploy.runpod.handler`: a RunPod serverless worker with one engine of its own."""

import secrets

import runpod
from runpod.serverless.modules.rp_logger import RunPodLogger

from deploy.runpod.settings import WorkerSettings, engine_environment
from deploy.runpod.worker import Worker
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.fleet.local import LocalEngine, Timing
from server.fleet.watchdog import Watchdog


def main() -> None:
    settings = WorkerSettings()
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket, api_key = settings.folder / "engine.sock", secrets.token_urlsafe(32)
    engine = LocalEngine(
        settings.command,
        socket=socket,
        log=settings.folder / "engine.log",
        api_key=api_key,
        environment=engine_environment(socket, api_key),
        timing=Timing(start=settings.start_timeout),
    )
    # The platform decides when a worker goes; for as long as it is there, its engine is, too.
    fleet = Fleet(engine, Policy(always=True), watchdog=Watchdog())
    worker = Worker(
        fleet,
        concurrency=settings.concurrency,
        start_timeout=settings.start_timeout,
        stall_timeout=settings.stall_timeout,
    )
    # The SDK's default level, DEBUG, prints every output: people's conversations, in the platform's logs.
    RunPodLogger().set_level("INFO")
    # `return_aggregate_stream`: callers of /run and /runsync get the outputs as a list; without it they would get nothing.
    runpod.serverless.start({"handler": worker.handle, "concurrency_modifier": worker.concurrency, "return_aggregate_stream": True})


if __name__ == "__main__":
    main()
