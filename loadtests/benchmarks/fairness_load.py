"""Callers of one server: those who ask again as soon as they are answered, those who ask now and then, and those who do not wait.

Every caller draws from a seed of its own, so that each server is asked for the same, caller by caller. Tokens are the server's own count.
Knows nothing of what the figures mean.
"""

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from loadtests.benchmarks.fairness_stage import Way

WORDS = ("bus", "rain", "goal", "tea", "late", "again", "who", "match", "home", "game", "soon", "what", "score", "night", "pub", "train")
AFTER_A_REFUSAL_S = 0.5
TICK_S = 0.02
REFUSED, FAILED = "refused", "failed"

Pick = Callable[[random.Random], str]
"""Whom to ask for."""


@dataclass(frozen=True)
class Lengths:
    """Tokens, more or less, of prompts, and exactly those of answers; drawn evenly from the range, its ends included."""

    prompt: tuple[int, int]
    answer: tuple[int, int]


@dataclass
class Asked:
    """One request. Times in seconds since the load began; None: it did not come to that."""

    community: str
    at_s: float
    first_s: float | None = None
    ended_s: float | None = None
    prompt: int = 0
    completion: int = 0
    fault: str = ""
    """REFUSED, FAILED, or nothing."""

    def waited_s(self, end_s: float) -> float:
        """Until its first token; of one that had none, until the end: at least so long."""
        return (end_s if self.first_s is None else self.first_s) - self.at_s


@dataclass
class Seen:
    """All that was asked within `seconds`, and how late this process itself was (each of its ticks, in seconds)."""

    seconds: float
    asked: list[Asked] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)


class Callers:
    """The callers of one server. What they begin ends with `during`: an answer that is still to come is given up."""

    def __init__(self, http: aiohttp.ClientSession, way: Way, never: Sequence[int], seed: int, headers: Mapping[str, str]) -> None:
        self._http, self._way, self._headers = http, way, headers
        self._bias = {str(token): -100 for token in never}
        self._seed = seed
        self._tasks: list[asyncio.Task[None]] = []
        self._open: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._start_s = self._loop.time()
        self.asked: list[Asked] = []

    def without_pause(self, count: int, pick: Pick, lengths: Lengths) -> None:
        """So many who ask again as soon as they are answered."""
        for _ in range(count):
            self._begin(lambda draw: self._again_and_again(draw, pick, lengths))

    def every(self, gap_s: float, community: str, lengths: Lengths) -> None:
        """One request for `community` every `gap_s`, answered or not, beginning anywhere within the first gap."""
        self._begin(lambda draw: self._at_times(draw, lambda _: community, lengths, draw.random() * gap_s, lambda _: gap_s, math.inf))

    def at_random(self, rate: float, pick: Pick, lengths: Lengths, *, from_s: float = 0.0, until_s: float = math.inf) -> None:
        """A Poisson process of so many requests a second."""
        self._begin(lambda draw: self._at_times(draw, pick, lengths, from_s, lambda each: each.expovariate(rate), until_s))

    async def during(self, seconds: float) -> Seen:
        """Let them ask for so long."""
        seen = Seen(seconds)
        end_s = self._start_s + seconds
        while (now := self._loop.time()) < end_s:
            await asyncio.sleep(min(TICK_S, end_s - now))
            seen.lags_s.append(max(0.0, self._loop.time() - min(now + TICK_S, end_s)))
        seen.asked = [Asked(**vars(each)) for each in self.asked]
        for task in (*self._tasks, *self._open):
            task.cancel()
        broken = await asyncio.gather(*self._tasks, *self._open, return_exceptions=True)
        for error in broken:
            if isinstance(error, Exception):
                raise error
        return seen

    def _begin(self, call: Callable[[random.Random], Awaitable[None]]) -> None:
        async def run(draw: random.Random) -> None:
            await call(draw)

        self._tasks.append(asyncio.create_task(run(random.Random(f"{self._seed} {len(self._tasks)}"))))

    async def _again_and_again(self, draw: random.Random, pick: Pick, lengths: Lengths) -> None:
        await asyncio.sleep(draw.random() / 10)
        while True:
            asked = Asked(pick(draw), self._now())
            await self._ask(asked, draw, lengths)
            if asked.fault:
                await asyncio.sleep(AFTER_A_REFUSAL_S)

    async def _at_times(
        self, draw: random.Random, pick: Pick, lengths: Lengths, at_s: float, gap: Callable[[random.Random], float], until_s: float
    ) -> None:
        while at_s < until_s:
            await asyncio.sleep(max(0.0, at_s - self._now()))
            # From the moment that was meant: a late client must not make the server look quick.
            task = asyncio.create_task(self._ask(Asked(pick(draw), at_s), draw, lengths))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            at_s += gap(draw)

    def _now(self) -> float:
        return self._loop.time() - self._start_s

    async def _ask(self, asked: Asked, draw: random.Random, lengths: Lengths) -> None:
        self.asked.append(asked)
        prompt, tokens = draw.randint(*lengths.prompt), draw.randint(*lengths.answer)
        body = {
            "model": self._way.models[asked.community],
            "messages": [{"role": "user", "content": " ".join(draw.choices(WORDS, k=prompt))}],
            "max_tokens": tokens,
            "logit_bias": self._bias,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"Authorization": f"Bearer {self._way.key}", **self._headers}
        try:
            async with self._http.post(f"{self._way.url}/v1/chat/completions", json=body, headers=headers) as answer:
                if answer.status == 200:
                    await self._read(asked, answer)
                else:
                    asked.fault = REFUSED if answer.status in (429, 503) else FAILED
                    await answer.read()
        except aiohttp.ClientError:
            asked.fault = FAILED
        asked.ended_s = self._now()

    async def _read(self, asked: Asked, answer: aiohttp.ClientResponse) -> None:
        """A stream to its end. Chunks are kept as they come and read once, at the end: the client must not be what is measured."""
        received = bytearray()
        async for chunk in answer.content.iter_any():
            received += chunk
            if asked.first_s is None and b"data: {" in received:
                asked.first_s = self._now()
        events = [json.loads(line[6:]) for line in received.splitlines() if line.startswith(b"data: {")]
        usage = next((event["usage"] for event in reversed(events) if event.get("usage")), None)
        if usage is None or b"data: [DONE]" not in received[-64:]:
            asked.fault = FAILED  # an error in its midst, or cut off
            return
        asked.prompt, asked.completion = usage["prompt_tokens"], usage["completion_tokens"]


@asynccontextmanager
async def callers(way: Way, never: Sequence[int], seed: int, headers: Mapping[str, str]) -> AsyncIterator[Callers]:
    """Callers with connections of their own, as many as they need. `never`: tokens that would end an answer too soon."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as http:
        yield Callers(http, way, never, seed, headers)
