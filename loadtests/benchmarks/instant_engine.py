"""The engine's stand-in where cost is measured: it answers at once, or at a fixed pace, and takes next to nothing of the core for it.

What it says is what `fake_engine.py` would say, but made once for each kind of request and then only sent. Every event is a write of its
own, as vLLM's are. It has no faults, no bounds, and no other routes than a gateway needs; it takes one request after another from a
connection.

    python -m loadtests.benchmarks.instant_engine --ttft 0.05 --inter-token 0.02
"""

import argparse
import asyncio
import json
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import uvloop

from loadtests.fake_answers import DONE, Answer, dumps, event
from loadtests.fake_behaviour import FakeSettings
from loadtests.fake_documents import model_list

CHAT = "/v1/chat/completions"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_KINDS = 256
"""So many different requests are remembered: a benchmark asks a handful."""


@dataclass(frozen=True)
class Pace:
    """Seconds before the first token, and between two; zero for at once."""

    ttft: float = 0.0
    inter_token: float = 0.0


def whole(status: str, content: bytes) -> bytes:
    """A response that is not streamed."""
    return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(content), content)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def pieces(body: Mapping[str, Any], tokens: int) -> tuple[bytes, ...]:
    """What is written for a chat completion, piece by piece: for a stream the head, an event for each token, and the end."""
    answer = Answer.to(body, chat=True, tokens=tokens, vocabulary=FakeSettings().vocabulary)
    if not body.get("stream"):
        return (whole("200 OK", dumps(answer.whole()).encode()),)
    opening = b"".join(map(event, answer.opening()))
    first, *others = (b"".join(map(event, answer.chunks(position))) for position in range(len(answer.tokens)))
    usage = chunk(event(answer.usage_chunk())) if answer.include_usage else b""
    return (_STREAM_HEAD, chunk(opening) + chunk(first), *map(chunk, others), usage + chunk(DONE) + b"0\r\n\r\n")


class Connection(asyncio.Protocol):
    """One caller, who asks again when it has its answer."""

    def __init__(self, script: "Script", pace: Pace) -> None:
        self._script = script
        self._pace = pace
        self._received = b""
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next is not None:
            self._next.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = self._received[:end]
        length = _LENGTH.search(head)
        whole_request = end + (int(length[1]) if length else 0)
        if len(self._received) < whole_request:
            return
        body, self._received = self._received[end:whole_request], b""
        self._answer(self._script.read(head.split(b" ", 2)[1], body))

    def _answer(self, said: Sequence[bytes]) -> None:
        if len(said) == 1:
            self._transport.write(said[0])
            return
        self._said = said
        self._began = self._loop.time()
        self._transport.write(said[0])
        self._next = self._loop.call_later(self._pace.ttft, self._speak, 1) if self._pace.ttft else self._loop.call_soon(self._speak, 1)

    def _speak(self, position: int) -> None:
        """Write the piece at `position`, and be called for the next one when its time has come, however late this one is."""
        self._transport.write(self._said[position])
        position += 1
        if position == len(self._said):
            self._next = None
        elif position == len(self._said) - 1 or not self._pace.inter_token:  # the end comes with the last token
            self._next = self._loop.call_soon(self._speak, position)
        else:
            at = self._began + self._pace.ttft + (position - 1) * self._pace.inter_token
            self._next = self._loop.call_at(at, self._speak, position)


class Script:
    """What to say to whom, made when it is asked for the first time."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._known: dict[bytes, tuple[bytes, ...]] = {
            b"/health": (whole("200 OK", b""),),
            b"/v1/models": (whole("200 OK", json.dumps(model_list([])).encode()),),
        }

    def read(self, path: bytes, body: bytes) -> Sequence[bytes]:
        said = self._known.get(body or path)
        if said is None:
            if path != CHAT.encode():
                return (whole("404 Not Found", b'{"detail":"Not Found"}'),)
            said = pieces(json.loads(body), self._tokens)
            if len(self._known) < _KINDS:
                self._known[body] = said
        return said


async def serve(listener: socket.socket, pace: Pace, tokens: int) -> None:
    script = Script(tokens)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(script, pace), sock=listener, backlog=2048)
    await server.serve_forever()


def main() -> None:
    """Serve until stopped. Prints the address once it listens."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.instant_engine", description=main.__doc__)
    parser.add_argument("--ttft", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--inter-token", type=float, default=0.0, help="seconds between tokens")
    parser.add_argument("--tokens", type=int, default=8, help="length of an answer")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvloop.run(serve(listener, Pace(options.ttft, options.inter_token), options.tokens))


if __name__ == "__main__":
    main()
