"""A streamed answer, from server-sent events to the steps of one whole answer. Knows the API's chunks and nothing of connections."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from clients.errors import StreamBroken
from clients.sse import COMMENT, Event

WAKING = "waking"
"""The gateway's comment in a stream whose engine is not there yet, every few seconds."""
BREAK_HINT = "The answer is incomplete; ask again."


@dataclass(frozen=True)
class Usage:
    """Tokens as the gateway counted them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Delta:
    """One step of a streamed answer. `usage` comes once, in a step of its own without text, after the last choice ended."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    index: int = 0
    """Which of the `n` choices it belongs to."""
    waking: bool = False
    """A step before the first: the gateway says that the engine is still waking up."""


@dataclass(frozen=True)
class Head:
    """What is known of a streamed answer before its first step."""

    request_id: str | None
    adapter: str | None
    """Which version answers, `zizou@7`; None from a server that does not say."""


async def whole(stream: AsyncIterator[Event]) -> AsyncGenerator[Delta, None]:
    """The deltas of a stream that must end in [DONE]; raises StreamBroken for an error event and for any other end."""
    async for event in stream:
        if event.type == COMMENT:
            if event.data == WAKING:
                yield Delta(waking=True)
            continue
        if event.data == "[DONE]":
            return
        try:
            chunk = json.loads(event.data)
            error = chunk.get("error")
            if event.type == "error" or error:
                raise _reported(error or chunk)
            for choice in chunk["choices"]:
                yield Delta(choice["delta"].get("content") or "", choice.get("finish_reason"), index=choice["index"])
            if usage := usage_of(chunk.get("usage")):
                yield Delta(usage=usage)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise StreamBroken(f"The gateway sent something that is not an answer. {BREAK_HINT}") from exc
    raise StreamBroken(f"The answer ended early. {BREAK_HINT}")


def usage_of(body: object) -> Usage | None:
    """The API's `usage`; None where there is none. Raises KeyError, TypeError or ValueError for another shape."""
    if not isinstance(body, dict):
        return None
    return Usage(int(body["prompt_tokens"]), int(body["completion_tokens"]))


def _reported(error: object) -> StreamBroken:
    said = error if isinstance(error, dict) else {}
    code = said.get("code")
    return StreamBroken(
        f"{said.get('message') or 'The gateway reported an error.'} {BREAK_HINT}",
        code=code if isinstance(code, str) else None,
    )
