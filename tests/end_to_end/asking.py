"""Many questions to a running stack at once, and what came of each."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.end_to_end.constant_voices import TEXTS
from tests.end_to_end.stack import Stack


class NoAnswer(AssertionError):
    """A request that did not end as one that is whole; the message says how it did."""


@dataclass(frozen=True)
class Question:
    model: str
    text: str
    chat: bool = True
    stream: bool = False
    max_tokens: int = 12
    temperature: float = 1.0


@dataclass(frozen=True)
class Answer:
    question: Question
    adapter: str
    """What the header says answered: `zizou@7`, or `base`."""
    text: str


def any_question(model: str, draw: random.Random) -> Question:
    """A chat or a plain text, streamed or not, short or a little longer, at one temperature or another."""
    return Question(
        model,
        draw.choice(TEXTS),
        chat=draw.random() < 0.7,
        stream=draw.random() < 0.5,
        max_tokens=draw.randint(1, 24),
        temperature=draw.choice((0.0, 0.7, 1.0)),
    )


class Asker:
    """Asks `stack` through one pool of connections. Raises NoAnswer."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self._stack = stack
        self._http = http

    async def ask(self, question: Question) -> Answer:
        path = "chat/completions" if question.chat else "completions"
        async with self._http.post(f"{self._stack.v1}/{path}", json=_body(question)) as response:
            raw = await response.read()
            if response.status != 200:
                raise NoAnswer(f"{question.model}: {response.status} {raw[:500].decode(errors='replace')}")
            said, reason = _streamed(raw) if question.stream else _said(json.loads(raw)["choices"][0])
            if reason not in ("stop", "length"):
                raise NoAnswer(f"{question.model}: it ended with {reason!r} after {said[:200]!r}")
            return Answer(question, response.headers["x-troupe-adapter"], said)

    async def ask_all(self, questions: Sequence[Question], *, in_flight: int) -> list[Answer | NoAnswer]:
        """In the order of the questions."""
        turn = asyncio.Semaphore(in_flight)

        async def one(question: Question) -> Answer | NoAnswer:
            async with turn:
                try:
                    return await self.ask(question)
                except NoAnswer as failure:
                    return failure

        return await asyncio.gather(*map(one, questions))


@asynccontextmanager
async def asker(stack: Stack) -> AsyncIterator[Asker]:
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(headers=stack.headers, connector=connector, timeout=timeout) as http:
        yield Asker(stack, http)


def _body(question: Question) -> dict[str, Any]:
    asked = {"messages": [{"role": "user", "content": question.text}]} if question.chat else {"prompt": question.text}
    return {
        "model": question.model, "max_tokens": question.max_tokens, "stream": question.stream, "temperature": question.temperature, **asked,
    }  # fmt: skip


def _said(choice: dict[str, Any]) -> tuple[str, str | None]:
    """The text of a choice, or of a piece of one, and why it ended, if it did."""
    text = choice["text"] if "text" in choice else (choice.get("message") or choice["delta"]).get("content")
    return text or "", choice["finish_reason"]


def _streamed(raw: bytes) -> tuple[str, str | None]:
    events = [line.removeprefix("data: ") for line in raw.decode().splitlines() if line.startswith("data: ")]
    if not events or events[-1] != "[DONE]":
        raise NoAnswer(f"a stream ended with {raw[-500:].decode(errors='replace')!r}")
    pieces = [_said(choice) for event in events[:-1] for choice in json.loads(event)["choices"]]
    return "".join(text for text, _ in pieces), pieces[-1][1] if pieces else None
