"""Streams that go on while something else happens, and the pauses that their readers see between two pieces of text."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp


class WrongAnswer(Exception):
    """The server said something other than what a benchmark can go on with."""


class Listeners:
    """One endless stream per entry of `models`, several of which may be the same. A stream that reaches its end is asked for again."""

    def __init__(self, http: aiohttp.ClientSession, models: Sequence[str], never: Sequence[int], max_tokens: int) -> None:
        """`never`: the tokens that would end an answer."""
        self._http = http
        self._models = models
        self._body = {
            "prompt": "once upon a time", "max_tokens": max_tokens, "stream": True, "logit_bias": {str(token): -100 for token in never},
        }  # fmt: skip
        self._heard: list[list[list[float]]] = [[] for _ in models]
        """Per listener, per stream: when its pieces came."""
        self._begun = [asyncio.Event() for _ in models]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Inside, all of them have begun. Raises WrongAnswer in the place of whoever is inside if one fails."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._listen(number)) for number in range(len(self._models))]
            for begun in self._begun:
                await begun.wait()
            yield
            for task in tasks:
                task.cancel()

    def pauses(self, since: float, until: float) -> list[float]:
        """Seconds between two pieces of one stream, where the second came between these two times of the loop's clock."""
        found = []
        for streams in self._heard:
            for pieces in streams:
                found += [after - before for before, after in itertools.pairwise(pieces) if since <= after <= until]
        return found

    async def _listen(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            pieces: list[float] = []
            self._heard[number].append(pieces)
            async with self._http.post("/v1/completions", json={**self._body, "model": self._models[number]}) as answer:
                if answer.status != 200:
                    raise WrongAnswer(f"{self._models[number]}: {answer.status} {(await answer.text())[:500]}")
                async for line in answer.content:
                    if line.startswith(b"data: {"):
                        if "error" in (event := json.loads(line[6:])):
                            raise WrongAnswer(f"{self._models[number]}: {event['error']}")
                        pieces.append(loop.time())
                        self._begun[number].set()
