"""An adapter's first words: before an alias moves to it, it answers a prompt on the engine, and so does the base.

Asks through the same client as everybody's requests, and decides nothing about aliases: it says how the trial went.
"""

import asyncio
import json
from secrets import token_hex

from adapters.registry import BASE, Manifest
from server.fleet.fleet import Fleet, Lease
from server.gateway.admin.verdict import Outcome, Said, judge, read_said
from server.gateway.admission.errors import Refused
from server.gateway.admission.gate import Gate
from server.gateway.admission.policy import Ticket
from server.gateway.errors import AdapterUnavailable, AnswerNotFinite, EngineFailed, EngineLost, GatewayError, InvalidRequest
from server.gateway.leases import Leased
from server.gateway.translations import from_gate
from server.gateway.upstream import Upstream

PATH = "/v1/chat/completions"
PROMPTS = ("who wins tonight?", "Tell me about your weekend.")
"""An adapter passes with the first that it has something of its own to say to."""
TOKENS = 8
SECONDS = 60.0
"""For all of it, from when there is an engine; a trial that takes longer counts as an engine that is away."""
MAX_ANSWER_BYTES = 1 << 20
PROMPT_TOKENS = 32
"""Of such a prompt, for admission: it counts with the community's own."""


class Trial:
    """`deadline`: seconds that it waits for an engine."""

    def __init__(self, gate: Gate, fleet: Fleet, upstream: Upstream, *, deadline: float, seconds: float = SECONDS) -> None:
        self._gate = gate
        self._fleet = fleet
        self._upstream = upstream
        self._deadline = deadline
        self._seconds = seconds

    async def run(self, manifest: Manifest, *, wake: bool = True) -> Outcome:
        """Raises EngineNotReady, DeadlinePassed, EngineUnavailable or TooManyRequests; an engine that goes away meanwhile is an outcome.

        `wake=False`: only with an engine that is awake.
        """
        async with Leased(self._fleet, deadline=self._deadline, counts=wake) as lease:
            # A slot for its adapter is waited for here like everybody's: inside the engine it could be kept from it for ever.
            ticket = Ticket(manifest.community, manifest.engine_name, PROMPT_TOKENS, deadline=self._deadline, streams=False)
            try:
                async with self._gate.enter(ticket):
                    return await self._in_time(lease, manifest)
            except Refused as refused:
                raise from_gate(refused) from refused

    async def _in_time(self, lease: Lease, manifest: Manifest) -> Outcome:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._outcome(lease, manifest)
        except TimeoutError:
            return Outcome.ENGINE_AWAY

    async def _outcome(self, lease: Lease, manifest: Manifest) -> Outcome:
        outcome = Outcome.SILENT
        for prompt in PROMPTS:
            outcome = await self._compare(lease, manifest.engine_name, prompt)
            if outcome not in (Outcome.SILENT, Outcome.SAME_AS_BASE):
                break
        return outcome

    async def _compare(self, lease: Lease, engine_name: str, prompt: str) -> Outcome:
        candidate = await self._ask(lease, engine_name, prompt)
        if candidate is Outcome.NOT_LOADED or candidate is Outcome.ENGINE_AWAY:
            return candidate
        base = await self._ask(lease, BASE, prompt)
        if base is Outcome.NOT_FINITE:
            lease.distrust()
        if isinstance(base, Outcome):
            return Outcome.ENGINE_AWAY  # not even the base answers: nothing is the adapter's fault
        if isinstance(candidate, Outcome):  # once may be chance, and quarantine is for good
            candidate = await self._ask(lease, engine_name, prompt)
        return candidate if isinstance(candidate, Outcome) else judge(candidate, base)

    async def _ask(self, lease: Lease, engine_name: str, prompt: str) -> Said | Outcome:
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
            answer = await self._post(lease, json.dumps(body).encode())
        except AdapterUnavailable:
            return Outcome.NOT_LOADED
        except AnswerNotFinite:
            return Outcome.NOT_FINITE
        except (EngineFailed, InvalidRequest):
            return Outcome.ENGINE_ERROR
        except GatewayError as error:
            if isinstance(error, EngineLost):
                lease.lost()
            return Outcome.ENGINE_AWAY
        return read_said(answer) or Outcome.ENGINE_ERROR

    async def _post(self, lease: Lease, body: bytes) -> bytes:
        async with self._upstream.post(
            lease.endpoint, PATH, body, stream=False, request_id=f"trial_{token_hex(16)}", quotes=True
        ) as response:
            answer = bytearray()
            async for chunk in response.content.iter_any():
                lease.progressed()
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise EngineFailed("The engine sent more than an answer can hold.")
        return bytes(answer)
