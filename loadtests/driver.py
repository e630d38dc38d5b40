"""Sends a schedule to a server and writes down what came back, and when.

Open loop: a request leaves when the schedule says, however many are still waiting. The only I/O of the load tests. aiohttp and not
`clients.api`, because at a hundred open streams the client must not be what is measured.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from loadtests.measure import DROPPED, UNFINISHED, Sample
from loadtests.sse import DONE, EventBuffer, read_piece
from loadtests.workload import Arrival

TIMEOUT = "timeout"
CUT_SHORT = "cut short"
"""Error class of a stream that ended without `[DONE]` and without saying why."""


@dataclass(frozen=True)
class Target:
    """An OpenAI-compatible server, without the trailing `/v1`."""

    url: str
    api_key: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


@dataclass(frozen=True)
class Limits:
    """What bounds a run: open requests at a time, seconds for one request, seconds to wait for the last ones."""

    in_flight: int = 512
    request_s: float = 120.0
    drain_s: float = 60.0


class TargetError(Exception):
    """The server could not be used at all; the message is for people, `exit_code` for scripts."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class _Observation:
    """A request while it runs; `freeze` makes it a Sample."""

    arrival: Arrival
    sent_s: float | None = None
    ended_s: float | None = None
    pieces_s: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None

    def freeze(self, now_s: float) -> Sample:
        return Sample(
            model=self.arrival.model,
            scheduled_s=self.arrival.at_s,
            sent_s=self.sent_s,
            ended_s=now_s if self.ended_s is None else self.ended_s,
            pieces_s=tuple(self.pieces_s),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            error=UNFINISHED if self.ended_s is None else self.error,
        )


class Driver:
    """One run against one target. `stop()` ends it early; what was measured by then is still returned."""

    def __init__(self, target: Target, limits: Limits, *, on_end: Callable[[], None] = lambda: None) -> None:
        self._target = target
        self._limits = limits
        self._on_end = on_end
        self._stopped = asyncio.Event()
        self._start = 0.0

    def stop(self) -> None:
        self._stopped.set()

    @property
    def was_stopped(self) -> bool:
        return self._stopped.is_set()

    async def run(self, arrivals: Sequence[Arrival]) -> list[Sample]:
        """Send every arrival at its time and wait for the answers, at most `drain_s` after the last was sent."""
        observations: list[_Observation] = []
        open_requests: set[asyncio.Task[None]] = set()
        timeout = aiohttp.ClientTimeout(total=self._limits.request_s)
        # No connection limit: a pool that queues would make the loop a closed one.
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._target.headers) as session:
            self._start = asyncio.get_running_loop().time()
            for arrival in arrivals:
                if await self._stopped_before(arrival.at_s):
                    break
                observation = _Observation(arrival)
                observations.append(observation)
                if len(open_requests) >= self._limits.in_flight:
                    observation.error, observation.ended_s = DROPPED, self._now()
                    self._on_end()
                    continue
                task = asyncio.create_task(self._ask(session, observation))
                open_requests.add(task)
                task.add_done_callback(open_requests.discard)
            await self._drain(open_requests)
            end_s = self._now()
            samples = [observation.freeze(end_s) for observation in observations]
            for task in open_requests:
                task.cancel()
            await asyncio.gather(*open_requests, return_exceptions=True)
        return samples

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._start

    async def _stopped_before(self, at_s: float) -> bool:
        """Wait until `at_s`; True if the run was stopped meanwhile."""
        delay = at_s - self._now()
        if delay <= 0:
            await asyncio.sleep(0)  # even a late schedule lets answers in
            return self.was_stopped
        try:
            async with asyncio.timeout(delay):
                return await self._stopped.wait()
        except TimeoutError:
            return False

    async def _drain(self, open_requests: set[asyncio.Task[None]]) -> None:
        """Wait until every answer is in, the time is up, or the run is stopped."""
        stopped = asyncio.create_task(self._stopped.wait())
        deadline_s = self._now() + self._limits.drain_s
        while open_requests and not self.was_stopped and (left_s := deadline_s - self._now()) > 0:
            await asyncio.wait([*open_requests, stopped], timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def _ask(self, session: aiohttp.ClientSession, observation: _Observation) -> None:
        observation.sent_s = self._now()
        try:
            await self._read_stream(session, observation)
        except TimeoutError:
            observation.error = TIMEOUT
        except (aiohttp.ClientError, OSError) as exc:
            observation.error = f"connection: {type(exc).__name__}"
        observation.ended_s = self._now()
        self._on_end()

    async def _read_stream(self, session: aiohttp.ClientSession, observation: _Observation) -> None:
        url = f"{self._target.url}/v1/chat/completions"
        async with session.post(url, json=request_body(observation.arrival)) as response:
            if response.status != 200:
                observation.error = f"http {response.status}"
                return
            events = EventBuffer()
            async for chunk in response.content.iter_any():
                now_s = self._now()
                for data in events.feed(chunk):
                    if data == DONE:
                        return
                    piece = read_piece(data)
                    if piece.error is not None:
                        observation.error = piece.error
                        return
                    if piece.text:
                        observation.pieces_s.append(now_s)
                    observation.prompt_tokens = piece.prompt_tokens or observation.prompt_tokens
                    observation.completion_tokens = piece.completion_tokens or observation.completion_tokens
            observation.error = CUT_SHORT


def request_body(arrival: Arrival) -> dict[str, object]:
    return {
        "model": arrival.model,
        "messages": [{"role": "user", "content": arrival.prompt}],
        "max_tokens": arrival.max_tokens,
        "seed": arrival.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def list_models(target: Target) -> list[str]:
    """The model strings that the server offers.

    Raises:
        TargetError: nobody answers there, the key is refused, or the answer is no model list.
    """
    try:
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=target.headers) as session,
            session.get(f"{target.url}/v1/models") as response,
        ):
            if response.status in (401, 403):
                raise TargetError(f"{target.url} refuses the key: set TROUPE_API_KEY.", exit_code=4)
            response.raise_for_status()
            return [model["id"] for model in json.loads(await response.read())["data"]]
    except (aiohttp.ClientConnectionError, TimeoutError) as exc:
        raise TargetError(f"Nobody answers at {target.url}: start it (make up), or set TROUPE_URL.", exit_code=3) from exc
    except (aiohttp.ClientError, ValueError, KeyError, TypeError) as exc:
        raise TargetError(f"{target.url} does not list its models as an OpenAI-compatible server does.") from exc
