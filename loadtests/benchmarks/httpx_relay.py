"""The relay that one would write first, FastAPI with httpx, for comparison and for nothing else.

It passes bytes on and does none of a gateway's work: no keys, no checks, no token counts, no metrics. Its figures are a floor.
"""

import argparse
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

PATH = "/v1/chat/completions"


def create_app(engine_url: str) -> FastAPI:
    """An application that relays chat completions to the engine at `engine_url`."""
    client = httpx.AsyncClient(
        base_url=engine_url,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),  # the default, 100, would queue at 128 streams
        timeout=None,  # noqa: S113  a benchmark's engine always answers
        trust_env=False,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.post(PATH)
    async def complete(request: Request) -> Response:
        body = await request.body()
        asked = client.build_request("POST", PATH, content=body, headers={"content-type": "application/json"})
        answer = await client.send(asked, stream=True)
        kind = answer.headers["content-type"]
        if not kind.startswith("text/event-stream"):
            return Response(await answer.aread(), answer.status_code, media_type=kind)

        async def relayed() -> AsyncIterator[bytes]:
            try:
                async for chunk in answer.aiter_raw():
                    yield chunk
            finally:
                await answer.aclose()

        return StreamingResponse(relayed(), answer.status_code, media_type=kind)

    return app


def main() -> None:
    """Serve until stopped. Prints the address once it listens."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.httpx_relay", description=main.__doc__)
    parser.add_argument("--engine", required=True)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(create_app(options.engine), access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
