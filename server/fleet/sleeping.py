"""An engine that is put to sleep instead of ended: its process stays, its accelerator's memory is given back.

Speaks vLLM's sleep mode, whose routes are open on an engine that was started for it. A wake has lost adapters silently before, and
answered in other people's voices or in nobody's; so nothing that was asleep is trusted: what the base and every resident adapter say to
one prompt before they sleep they must say again, or the engine is ended and started anew. Knows nothing of when to sleep or wake.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import aiohttp

from server.fleet.engine import Endpoint, Engine, Failure

log = logging.getLogger("troupe.fleet")

PROMPT = "Tell me about your weekend."
TOKENS = 8
NEAR = 0.05
"""Log-probabilities that are no further apart are the same: an adapter that is gone changes them by more, a kernel's rounding by less."""
RESIDENT = 64
"""At most so many adapters sleep; older ones are unloaded before, so that a wake is never long. They are read again at their next use."""

Said = tuple[tuple[str, float], ...]
"""Each token of an answer with its log-probability."""


class NotWell(Exception):
    """The engine answered, and not as one that can be trusted."""


@dataclass(frozen=True)
class Bounds:
    """Seconds, the questions before and after included. An engine that takes longer is ended."""

    sleep: float = 60.0
    wake: float = 30.0


class SleepingEngine:
    """An `Engine` (see `server.fleet.engine`) around `engine`: `stop` sends it to sleep, `stop(force=True)` and `close` end it.

    `level` is vLLM's: 1 keeps the weights in host memory, 2 reads them again at each wake.
    """

    def __init__(self, engine: Engine, *, level: int = 1, bounds: Bounds | None = None) -> None:
        self._engine = engine
        self._level = level
        self._waking = _WAKING[level]
        self._bounds = bounds or Bounds()
        self._running = False
        self._said: Mapping[str, Said] | None = None
        """While it sleeps: model → what it said before."""

    @property
    def endpoint(self) -> Endpoint:
        return self._engine.endpoint

    @property
    def asleep(self) -> bool:
        """Whether there is a process that sleeps, as far as is known: one that died meanwhile is found at `start`."""
        return self._said is not None

    async def open(self) -> None:
        await self._engine.open()

    async def start(self) -> None:
        said, self._said = self._said, None
        awake = False
        if said is not None:
            try:
                awake = await self._awoken(said)
            finally:
                if not awake:
                    await self._engine.stop(force=True)
        if not awake:
            await self._engine.start()
        self._running = True

    async def wait(self) -> Failure:
        failure = await self._engine.wait()
        self._running = False
        return failure

    async def stop(self, *, force: bool = False) -> None:
        if self.asleep and not force:
            return
        said = None
        try:
            if self._running and not force:
                said = await self._put_to_sleep()
        finally:
            if said is None:
                await self._engine.stop(force=force or self._running)
            self._said, self._running = said, False

    async def close(self) -> None:
        self._said, self._running = None, False
        await self._engine.close()

    async def _put_to_sleep(self) -> Mapping[str, Said] | None:
        """What each model said before it slept; None if the engine is not asleep, or who knows."""
        try:
            async with asyncio.timeout(self._bounds.sleep), _asking(self.endpoint) as ask:
                said = {model: await ask.to_speak(model) for model in await ask.residents()}
                await ask.post(f"/sleep?level={self._level}")
                await ask.must_sleep(True)
                return said
        except (aiohttp.ClientError, TimeoutError, OSError, NotWell) as error:
            log.warning("The engine does not go to sleep (%s): it is ended.", error or type(error).__name__)
            return None

    async def _awoken(self, said: Mapping[str, Said]) -> bool:
        """Wake it, and whether it is what it was; False as soon as its process is gone."""
        waking = asyncio.create_task(self._wake(said))
        gone = asyncio.create_task(self._engine.wait())
        try:
            await asyncio.wait({waking, gone}, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done() and waking.result()
        finally:
            waking.cancel()
            gone.cancel()
            await asyncio.gather(waking, gone, return_exceptions=True)

    async def _wake(self, said: Mapping[str, Said]) -> bool:
        try:
            async with asyncio.timeout(self._bounds.wake), _asking(self.endpoint) as ask:
                for path, body in self._waking:
                    await ask.post(path, body)
                await ask.must_sleep(False)
                for model, before in said.items():
                    if not _same(before, await ask.to_speak(model)):
                        raise NotWell(f"{model} does not say what it said before")
                return True
        except (aiohttp.ClientError, TimeoutError, OSError, NotWell) as error:
            log.warning("The engine did not wake as it was (%s): another one is started.", error or type(error).__name__)
            return False


_WAKING: Mapping[int, Sequence[tuple[str, Mapping[str, Any]]]] = {
    1: (("/wake_up", {}),),
    2: (("/wake_up?tags=weights", {}), ("/collective_rpc", {"method": "reload_weights"}), ("/wake_up?tags=kv_cache", {})),
}
"""What to post, by level. After level 2 there are no weights until they were read again, and with them every adapter."""


class _Asker:
    """What is asked of one engine. Raises NotWell for an answer that is none, and aiohttp's errors."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def residents(self) -> list[str]:
        """The base, and the adapters that may be in memory; those over `RESIDENT` are taken out of it."""
        try:
            cards = [(str(card["id"]), card.get("parent")) for card in (await self._ask("GET", "/v1/models"))["data"]]
        except (LookupError, TypeError, AttributeError) as exc:
            raise NotWell("its list of models has another shape") from exc
        bases, adapters = [name for name, parent in cards if parent is None], [name for name, parent in cards if parent is not None]
        for name in adapters[:-RESIDENT]:
            await self.post("/v1/unload_lora_adapter", {"lora_name": name})
        return bases + adapters[-RESIDENT:]

    async def to_speak(self, model: str) -> Said:
        """The likeliest answer, computed anew: nothing cached counts. One at a time, so that every batch is the same."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": PROMPT}],
            "max_completion_tokens": TOKENS,
            "ignore_eos": True,  # or a model that has nothing to say would prove nothing
            "temperature": 0.0,
            "logprobs": True,
            "cache_salt": token_hex(32),
            "stream": False,
        }
        answer = await self._ask("POST", "/v1/chat/completions", body)
        try:
            content = answer["choices"][0]["logprobs"]["content"] or []
            said = tuple((str(token["token"]), float(token["logprob"])) for token in content)
        except (LookupError, TypeError, ValueError) as exc:
            raise NotWell(f"{model} gives no log-probabilities") from exc
        if not said or not all(math.isfinite(logprob) for _, logprob in said):
            raise NotWell(f"{model} says nothing that could be compared")
        return said

    async def must_sleep(self, expected: bool) -> None:
        """Raises NotWell unless it says that it sleeps, or does not."""
        answer = await self._ask("GET", "/is_sleeping")
        if not isinstance(answer, dict) or answer.get("is_sleeping") is not expected:
            raise NotWell("it is not asleep" if expected else "it is still asleep")

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        await self._ask("POST", path, body, read=False)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, read: bool = True) -> Any:
        async with self._session.request(method, self._base_url + path, json=body) as answer:
            content = await answer.read()
            if answer.status != 200:
                raise NotWell(f"{path.partition('?')[0]} answers {answer.status}")
            try:
                return await answer.json(content_type=None) if read and content else None
            except ValueError as exc:
                raise NotWell(f"{path} answers no JSON") from exc


@asynccontextmanager
async def _asking(endpoint: Endpoint) -> AsyncIterator[_Asker]:
    connector = aiohttp.UnixConnector(path=str(endpoint.socket)) if endpoint.socket else None
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    timeout = aiohttp.ClientTimeout(total=None)  # the whole errand has one
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        yield _Asker(session, endpoint.base_url)


def _same(before: Said, after: Said) -> bool:
    """Token for token, and as sure of each: eight tokens may agree by chance, their probabilities hardly ever do."""
    same_tokens = [token for token, _ in before] == [token for token, _ in after]
    return same_tokens and all(abs(one - other) <= NEAR for (_, one), (_, other) in zip(before, after, strict=True))
