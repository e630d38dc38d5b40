"""The hot path: one POST to /v1/chat/completions or /v1/completions, as a bare ASGI application.

auth → body → parse → resolve → measure → reserve → admit → engine → relay → settle. Each step either raises a GatewayError or hands on a
value; the engine is touched, and woken, by the last but two.
"""

import asyncio
import json
from dataclasses import dataclass
from functools import partial

from adapters.registry import BASE
from server.accounts import Principal, Scope
from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.answer import Answers, while_connected
from server.gateway.auth import Authenticator
from server.gateway.body import CallerGone, read_body
from server.gateway.canary import conversation_key
from server.gateway.directory import Directory, Target
from server.gateway.errors import ContextLengthExceeded, MethodNotAllowed
from server.gateway.evaluation import check_work
from server.gateway.leases import read_deadline
from server.gateway.messages import Prompt
from server.gateway.metering import DEGRADED_TOKENS, Metered, Metering, Order
from server.gateway.parse import Dialect, Generation, engine_body, read_generation
from server.gateway.record import CALLER_GONE, SCOPE_KEY, Record
from server.gateway.relay import Call
from server.gateway.reply import Receive, Reply, Send
from server.gateway.reply import Scope as AsgiScope
from server.gateway.salts import Salts
from server.gateway.settings import GatewaySettings
from server.gateway.sse import EventStream, Renamer
from server.gateway.strict_json import read_object
from server.gateway.tokens import PromptMeter


@dataclass(frozen=True)
class Asked:
    """What a caller wants, measured and found to be possible."""

    generation: Generation
    dialect: Dialect
    target: Target
    prompts: list[Prompt]
    prompt_tokens: int
    max_tokens: int
    """Of each answer."""
    answers: int


class Completions:
    """One of the two endpoints. Raises GatewayError until the first byte is sent, then says it in the stream."""

    def __init__(
        self,
        path: str,
        dialect: Dialect,
        *,
        for_evaluation: Dialect,
        scopes: tuple[Scope, ...],
        settings: GatewaySettings,
        authenticator: Authenticator,
        directory: Directory,
        meter: PromptMeter,
        fleet: Fleet,
        metering: Metering,
        answers: Answers,
        context_length: int,
        salts: Salts,
    ) -> None:
        """`scopes`: a key needs one of them."""
        self._path = path
        self._dialect = dialect
        self._for_evaluation = for_evaluation
        self._scopes = scopes
        self._settings = settings
        self._authenticator = authenticator
        self._directory = directory
        self._meter = meter
        self._fleet = fleet
        self._metering = metering
        self._answers = answers
        self._context_length = context_length
        self._salts = salts

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"Use POST for {self._path}.", allow="POST")
        settings = self._settings
        caller = self._authenticator.admit(scope, *self._scopes)
        deadline = read_deadline(scope["headers"], usual=settings.deadline, most=settings.max_deadline)
        record: Record = scope[SCOPE_KEY]
        try:
            call, metered = await self._begin(scope, receive, caller, record)
        except CallerGone:
            record.error = CALLER_GONE
            return
        try:
            reply = Reply(send, write_timeout=settings.write_timeout)
            await while_connected(
                self._answers.answer(call, metered, reply, record, deadline=deadline),
                receive,
                reply,
                record,
                keepalive=settings.keepalive if call.stream else None,
            )
        finally:
            metered.settle()

    async def _begin(self, scope: AsgiScope, receive: Receive, caller: Principal, record: Record) -> tuple[Call, Metered]:
        """The caller's request, written down; of its own words nothing else is kept while it waits. Raises GatewayError or CallerGone."""
        raw = await read_body(scope, receive, limit=self._settings.max_body_bytes, timeout=self._settings.body_timeout)
        dialect = self._for_evaluation if Scope.EVALUATE in caller.scopes else self._dialect
        asked = await self._measure(read_generation(read_object(raw), dialect), dialect, caller, record)
        tenant, most = asked.target.tenant, asked.answers * asked.max_tokens
        order = Order(caller.key_id, caller.payer(tenant), asked.target.adapter, asked.prompt_tokens, most)
        is_up = self._fleet.state is EngineState.READY and asked.answers <= DEGRADED_TOKENS
        metered = await self._metering.open(order, record, may_degrade=is_up)
        try:
            return self._call(asked, metered, self._salts.salt(caller, BASE if metered.degraded else tenant)), metered
        except BaseException:  # raised again: a bug of ours must not hold on to what was set aside
            metered.settle()
            raise

    async def _measure(self, generation: Generation, dialect: Dialect, caller: Principal, record: Record) -> Asked:
        target = self._directory.find(
            generation.model, lambda: conversation_key(generation.prompts[0], generation.user), within=caller.communities
        )
        record.model, record.adapter = target.model, target.adapter
        prompts = [self._meter.plain(prompt) for prompt in generation.prompts]
        lengths = await self._lengths(prompts)
        max_tokens = self._max_tokens(generation, max(lengths), dialect)
        check_work(generation.sampling, lengths, max_tokens)
        return Asked(generation, dialect, target, prompts, sum(lengths), max_tokens, answers=len(prompts) * generation.sampling.get("n", 1))

    def _call(self, asked: Asked, metered: Metered, salt: str) -> Call:
        engine_name = BASE if metered.degraded else asked.target.engine_name
        generation, model = asked.generation, asked.target.model
        body = engine_body(
            generation,
            asked.dialect,
            engine_name=engine_name,
            prompts=asked.prompts,
            max_tokens=metered.max_tokens // asked.answers,
            cache_salt=salt,
        )
        return Call(
            path=self._path,
            body=json.dumps(body, separators=(",", ":")).encode(),
            engine_name=engine_name,
            model=model,
            stream=generation.stream,
            events=partial(EventStream, Renamer(engine_name, model), include_usage=generation.include_usage),
        )

    async def _lengths(self, prompts: list[Prompt]) -> list[int]:
        """Tokens of each. A single short prompt is counted here and now; texts that take longer, in a thread."""

        def count() -> list[int]:
            return [self._meter.count(prompt, self._context_length) for prompt in prompts]

        if len(prompts) == 1 and self._meter.is_quick(prompts[0]):
            return count()
        return await asyncio.to_thread(count)

    def _max_tokens(self, generation: Generation, prompt_tokens: int, dialect: Dialect) -> int:
        room = self._context_length - prompt_tokens
        wanted = generation.max_tokens
        if room < 1 or (wanted is not None and wanted > room):
            asked = "" if wanted is None else f" and {wanted} of answer"
            raise ContextLengthExceeded(
                f"The model holds {self._context_length} tokens; you ask for at least {prompt_tokens} of prompt{asked}."
                " Shorten the prompt or lower max_tokens.",
                param=dialect.prompt,
            )
        return wanted if wanted is not None else min(self._settings.default_max_tokens, room)
