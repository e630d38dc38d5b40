"""An adapter's first words: before an alias moves to it, it answers a prompt on the engine, and so does the base.

Asks through the same client as everybody's requests, and decides nothing about aliases: it says how the trial went.
"""

import asyncio
import json
from secrets import token_hex

from adapters.registry import BASE, Manifest
from server.fleet.engine import Endpoint, Engine
from server.gateway.errors import AdapterUnavailable, AnswerNotFinite, EngineFailed, GatewayError, InvalidRequest
from server.gateway.readiness import ready_endpoint
from server.gateway.upstream import Upstream
from server.gateway.verdict import Outcome, Said, judge, read_said

PATH = "/v1/chat/completions"
PROMPTS = ("who wins tonight?", "Tell me about your weekend.")
"""An adapter passes with the first that it has something of its own to say to."""
TOKENS = 8
SECONDS = 60.0
"""For all of it; a trial that takes longer counts as an engine that is away."""
MAX_ANSWER_BYTES = 1 << 20


class Trial:
    def __init__(self, engine: Engine, upstream: Upstream, *, seconds: float = SECONDS) -> None:
        self._engine = engine
        self._upstream = upstream
        self._seconds = seconds

    async def run(self, manifest: Manifest) -> Outcome:
        """Raises EngineNotReady; an engine that goes away in the middle is an outcome."""
        endpoint = ready_endpoint(self._engine)
        try:
            async with asyncio.timeout(self._seconds):
                outcome = Outcome.SILENT
                for prompt in PROMPTS:
                    outcome = await self._compare(endpoint, manifest.engine_name, prompt)
                    if outcome not in (Outcome.SILENT, Outcome.SAME_AS_BASE):
                        break
                return outcome
        except TimeoutError:
            return Outcome.ENGINE_AWAY

    async def _compare(self, endpoint: Endpoint, engine_name: str, prompt: str) -> Outcome:
        candidate = await self._ask(endpoint, engine_name, prompt)
        if candidate is Outcome.NOT_LOADED or candidate is Outcome.ENGINE_AWAY:
            return candidate
        base = await self._ask(endpoint, BASE, prompt)
        if isinstance(base, Outcome):
            return Outcome.ENGINE_AWAY  # not even the base answers: nothing is the adapter's fault
        if isinstance(candidate, Outcome):  # once may be chance, and quarantine is for good
            candidate = await self._ask(endpoint, engine_name, prompt)
        return candidate if isinstance(candidate, Outcome) else judge(candidate, base)

    async def _ask(self, endpoint: Endpoint, engine_name: str, prompt: str) -> Said | Outcome:
        body = {
            "model": engine_name,
            "messages": [{"role": "user", "content": prompt}],
            "max_completion_tokens": TOKENS,
            "temperature": 0.0,
            "logprobs": True,
            "cache_salt": token_hex(32),  # nothing that was computed before counts
            "stream": False,
        }
        try:
            answer = await self._post(endpoint, json.dumps(body).encode())
        except AdapterUnavailable:
            return Outcome.NOT_LOADED
        except AnswerNotFinite:
            return Outcome.NOT_FINITE
        except (EngineFailed, InvalidRequest):
            return Outcome.ENGINE_ERROR
        except GatewayError:
            return Outcome.ENGINE_AWAY
        return read_said(answer) or Outcome.ENGINE_ERROR

    async def _post(self, endpoint: Endpoint, body: bytes) -> bytes:
        async with self._upstream.post(endpoint, PATH, body, stream=False, request_id=f"trial_{token_hex(16)}") as response:
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise EngineFailed("The engine sent more than an answer can hold.")
        return bytes(answer)
