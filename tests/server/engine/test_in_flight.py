"""The middleware alone, then inside a real HTTP server."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn

from server.engine.in_flight import MAX_BODY_BYTES, App, InFlight, Message, Receive, Scope, Send, model_in

POST = {"type": "http", "method": "POST", "path": "/v1/completions"}


class Book:
    """Who is in flight now, and who ever was."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.ever: list[str] = []
        self.empty = asyncio.Event()

    @contextmanager
    def using(self, model: str, _scope: MutableMapping[str, Any]) -> Iterator[None]:
        self.now.append(model)
        self.ever.append(model)
        self.empty.clear()
        try:
            yield
        finally:
            self.now.remove(model)
            if not self.now:
                self.empty.set()


def messages(*bodies: bytes, then: Message | None = None) -> Receive:
    """A client that sends these parts and, if told so, something else before it is done."""
    last = [] if then is None else [then]
    parts = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    if then is None and parts:
        parts[-1]["more_body"] = False
    waiting = [*parts, *last]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    return receive


async def run(app: App, receive: Receive, book: Book, scope: Scope = POST) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await InFlight(app, book.using)(scope, receive, send)
    return sent


async def test_the_application_gets_the_same_bytes(book: Book) -> None:
    """However they were cut, and after them the news that the client has gone."""
    got: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        got.extend([await receive(), await receive()])
        assert book.now == ["zizou"]

    await run(app, messages(b'{"model":', b' "zizou"', b', "x": "\xc3\xa9"}'), book)
    assert got == [
        {"type": "http.request", "body": b'{"model": "zizou", "x": "\xc3\xa9"}', "more_body": False},
        {"type": "http.disconnect"},
    ]
    assert book.now == []


async def test_a_client_that_goes_while_it_sends_is_told_as_such(book: Book) -> None:
    """Half a body is not handed on as a whole one."""
    got: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        got.append(await receive())

    await run(app, messages(b'{"model": "zizou"}', then={"type": "http.disconnect"}), book)
    assert got == [{"type": "http.disconnect"}]


@pytest.mark.parametrize("failure", [ValueError, asyncio.CancelledError])
async def test_a_request_that_fails_is_over(book: Book, failure: type[BaseException]) -> None:
    """An adapter that stays in use for ever could never be evicted."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise failure

    with pytest.raises(failure):
        await run(app, messages(b'{"model": "zizou"}'), book)
    assert book.ever == ["zizou"]
    assert book.now == []


@pytest.mark.parametrize("kind", [{"type": "lifespan"}, {"type": "websocket"}, {"type": "http", "method": "GET"}])
async def test_what_asks_for_no_model_passes_untouched(book: Book, kind: Scope) -> None:
    """The very same receive and send, and nothing is read."""
    given: list[object] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        given.extend([receive, send])

    receive = messages(b'{"model": "zizou"}')

    async def send(_message: Message) -> None: ...

    await InFlight(app, book.using)(kind, receive, send)
    assert given == [receive, send]
    assert book.ever == []


async def test_a_body_without_end_is_refused(book: Book) -> None:
    """Before it fills the memory, and without asking the application."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    async def endless() -> Message:
        return {"type": "http.request", "body": b"x" * (8 << 20), "more_body": True}

    start, body = await run(app, endless, book)
    assert start["status"] == 413
    assert str(MAX_BODY_BYTES) in json.loads(body["body"])["error"]["message"]


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model": "zizou"}', "zizou"),
        (b'{"model": "a", "model": "b"}', "b"),
        ('{"model": "zizou"}'.encode("utf-16"), "zizou"),
        (b'{"model": 7}', None),
        (b'["model"]', None),
        (b'{"model": "zizou"', None),
        (b"", None),
        (b"\xff\xfe\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_model_is_what_vllm_reads(body: bytes, model: str | None) -> None:
    """The same JSON reader; what it refuses has no model."""
    assert model_in(body) == model


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def url(book: Book) -> AsyncIterator[str]:
    """A server that streams a token each millisecond until the client goes, 20 at most unless told otherwise."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        told = json.loads((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(_until_gone(receive))
        for number in range(told.get("tokens", 20)):
            if gone.done():
                break
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await asyncio.sleep(0.001)
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        gone.cancel()

    config = uvicorn.Config(InFlight(app, book.using), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


async def _until_gone(receive: Callable[[], Awaitable[Message]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_a_stream_comes_piece_by_piece(url: str, book: Book) -> None:
    """In use from its first byte to its last, and nothing is held back."""
    async with aiohttp.ClientSession() as session, session.post(url, json={"model": "zizou", "tokens": 20}) as response:
        assert await response.content.readuntil(b"\n\n") == b"data: 0\n\n"
        assert book.now == ["zizou"]
        rest = await response.read()
        assert rest.count(b"data: ") == 20
    await asyncio.wait_for(book.empty.wait(), 30)


async def test_a_client_that_leaves_ends_its_request(url: str, book: Book) -> None:
    """The application hears of it through the middleware, and the model is free again."""
    async with aiohttp.ClientSession() as session:
        for _ in range(5):
            response = await session.post(url, json={"model": "zizou", "tokens": 10**9})
            await response.content.readuntil(b"\n\n")
            response.close()
    await asyncio.wait_for(book.empty.wait(), 30)
    assert book.ever == ["zizou"] * 5


async def test_many_streams_at_once_are_counted_apart(url: str, book: Book) -> None:
    """Each for its own model, and all of them end."""
    async with aiohttp.ClientSession() as session:

        async def ask(number: int) -> bytes:
            async with session.post(url, json={"model": f"m{number % 3}", "tokens": number}) as response:
                return await response.read()

        answers = await asyncio.gather(*(ask(number) for number in range(30)))
    assert [answer.count(b"data: ") - 1 for answer in answers] == list(range(30))
    await asyncio.wait_for(book.empty.wait(), 30)
    assert {model: book.ever.count(model) for model in set(book.ever)} == {"m0": 10, "m1": 10, "m2": 10}
