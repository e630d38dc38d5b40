"""The log of a test, as whoever runs a gateway reads it."""

import asyncio
import json
from typing import Any

import pytest

from server.log import JsonLines


def lines_of(caplog: pytest.LogCaptureFixture, name: str = "troupe.gateway") -> list[dict[str, Any]]:
    """Oldest first."""
    return [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == name]


async def line_of(caplog: pytest.LogCaptureFixture, request_id: str) -> dict[str, Any]:
    """The one line of this request, once it is there: an answer is read before its request has ended."""

    def found() -> list[dict[str, Any]]:
        return [line for line in lines_of(caplog) if line.get("request") == request_id and line["message"] == "request"]

    async with asyncio.timeout(10):
        while not found():  # noqa: ASYNC110 (a log has nothing to wait for)
            await asyncio.sleep(0.001)
    assert len(found()) == 1
    return found()[0]
