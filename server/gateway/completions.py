"""The hot path: one POST for an answer, in one of the APIs, as a bare ASGI application.

auth → body → parse → resolve → measure → reserve → admit → engine → relay → settle. Each step either raises a GatewayError or hands on a
value; the engine is touched, and woken, by the last but two.
"""

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from adapters.registry import BASE
from server.accounts import Principal, Scope
from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.answer import Answers, unless_gone, while_connected
from server.gateway.apis.api import Api, Names, Spoken
from server.gateway.apis.evaluation import check_work, measures
from server.gateway.apis.messages import Prompt
from server.gateway.apis.parse import Generation, engine_body
from server.gateway.apis.tools import Toolbox
from server.gateway.auth import Authenticator
from server.gateway.body import read_body
from server.gateway.canary import conversation_key
from server.gateway.directory import Directory, Target
from server.gateway.errors import ContextLengthExceeded, MethodNotAllowed
from server.gateway.idempotency import REPLAYED, Answer, Answered, read_key
from server.gateway.leases import read_deadline
from server.gateway.metering import DEGRADED_TOKENS, Metered, Metering, Order
from server.gateway.record import SCOPE_KEY, Record
from server.gateway.relay import Call
from server.gateway.reply import Receive, Reply, Send
from server.gateway.reply import Scope as AsgiScope
from server.gateway.salts import Salts
from server.gateway.settings import GatewaySettings
from server.gateway.strict_json import read_object
from server.gateway.tokens import PromptMeter
from server.gateway.transcript import Transcript


@dataclass(frozen=True)
class Asked:
    """What a caller wants, measured and found to be possible."""

    spoken: Spoken
    target: Target
    prompts: list[Prompt]
    toolbox: Toolbox | None
    prompt_tokens: int
    max_tokens: int
    """Of each answer."""
    answers: int


class Completions:
    """One endpoint. Raises GatewayError and CallerGone until the first byte is sent, then says it in the stream."""

    def __init__(
        self,
        api: Api,
        *,
        settings: GatewaySettings,
        authenticator: Authenticator,
        directory: Directory,
        meter: PromptMeter,
        fleet: Fleet,
        metering: Metering,
        answers: Answers,
        answered: Answered,
        context_length: int,
        salts: Salts,
    ) -> None:
        self._api = api
        self._settings = settings
        self._authenticator = authenticator
        self._directory = directory
        self._meter = meter
        self._fleet = fleet
        self._metering = metering
        self._answers = answers
        self._answered = answered
        self._context_length = context_length
        self._salts = salts

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"Use POST for {self._api.path}.", allow="POST")
        settings = self._settings
        caller = self._authenticator.admit(scope, *self._api.scopes)
        deadline = read_deadline(scope["headers"], usual=settings.deadline, most=settings.max_deadline)
        record: Record = scope[SCOPE_KEY]
        key = read_key(scope["headers"])
        raw = await read_body(scope, receive, limit=settings.max_body_bytes, timeout=settings.body_timeout)
        asked = await self._measure(self._api.speak(read_object(raw), evaluates=Scope.EVALUATE in caller.scopes), caller, record)
        reply = Reply(send, write_timeout=settings.write_timeout, errors=self._api.errors)
        if key is None:
            call, metered = await self._begin(asked, caller, record, deadline)
            del raw, asked  # while it waits, nothing of the caller's words is kept but what the engine is sent
            await self._answer(call, metered, receive, reply, record, deadline=deadline)
            return
        digest = sha256(self._api.path.encode() + b"\n" + raw).digest()
        stream, patiently = asked.spoken.generation.stream, partial(unless_gone, receive)
        async with self._answered.turn(caller.key_id, key, digest, stream=stream, patiently=patiently) as turn:
            if turn.answer is not None:
                record.adapter, record.degraded = turn.answer.adapter, turn.answer.degraded
                await reply.whole(200, REPLAYED, turn.answer.body)
                return
            call, metered = await self._begin(asked, caller, record, deadline)
            del raw, asked
            try:
                await self._answer(call, metered, receive, reply, record, deadline=deadline)
            finally:
                if record.complete:
                    turn.keep(None if reply.body is None else Answer(reply.body, record.adapter, record.degraded))

    async def _answer(self, call: Call, metered: Metered, receive: Receive, reply: Reply, record: Record, *, deadline: float) -> None:
        try:
            await while_connected(
                self._answers.answer(call, metered, reply, record, deadline=deadline),
                receive,
                reply,
                record,
                keepalive=self._settings.keepalive if call.stream else None,
            )
        finally:
            metered.settle()

    async def _begin(self, asked: Asked, caller: Principal, record: Record, deadline: float) -> tuple[Call, Metered]:
        """The request, written down, if there is room for it at all. Raises GatewayError."""
        tenant, most = asked.target.tenant, asked.answers * asked.max_tokens
        order = Order(caller.key_id, caller.payer(tenant), asked.target.adapter, asked.prompt_tokens, most)
        record.community = order.community
        self._answers.look(order, self._metering.weight(order.community), deadline)
        is_up = self._fleet.state is EngineState.READY and asked.answers <= DEGRADED_TOKENS
        may_degrade = is_up and not measures(asked.spoken.generation.sampling, asked.prompts)
        metered = await self._metering.open(order, record, may_degrade=may_degrade)
        try:
            return self._call(asked, metered, record, self._salts.salt(caller, BASE if metered.degraded else tenant)), metered
        except BaseException:  # raised again: a bug of ours must not hold on to what was set aside
            metered.settle()
            raise

    async def _measure(self, spoken: Spoken, caller: Principal, record: Record) -> Asked:
        generation = spoken.generation
        target = self._directory.find(
            generation.model, lambda: conversation_key(generation.prompts[0], generation.user), within=caller.communities
        )
        record.model, record.adapter = target.model, target.adapter
        prompts = [self._meter.plain(prompt) for prompt in generation.prompts]
        toolbox = self._meter.plain_toolbox(generation.toolbox)
        lengths = await self._lengths(prompts, toolbox)
        max_tokens = self._max_tokens(generation, max(lengths))
        check_work(generation.sampling, lengths, max_tokens)
        answers = len(prompts) * generation.sampling.get("n", 1)
        return Asked(spoken, target, prompts, toolbox, sum(lengths), max_tokens, answers)

    def _call(self, asked: Asked, metered: Metered, record: Record, salt: str) -> Call:
        engine_name = BASE if metered.degraded else asked.target.engine_name
        generation, model = asked.spoken.generation, asked.target.model
        body = engine_body(
            generation,
            self._api.engine,
            engine_name=engine_name,
            prompts=asked.prompts,
            toolbox=asked.toolbox,
            max_tokens=metered.max_tokens // asked.answers,
            cache_salt=salt,
        )
        told, telling = json.dumps(body, separators=(",", ":")).encode(), asked.spoken.telling(Names(engine_name, model, record.request_id))
        if metered.community in self._settings.log_prompts:
            transcript = Transcript(told)
            record.words, telling = transcript.fields, transcript.listening(telling)
        return Call(
            path=self._api.asks,
            body=told,
            engine_name=engine_name,
            model=model,
            stream=generation.stream,
            telling=telling,
        )

    async def _lengths(self, prompts: list[Prompt], toolbox: Toolbox | None) -> list[int]:
        """Tokens of each. A single short prompt is counted here and now; texts that take longer, in a thread."""

        def count() -> list[int]:
            return [self._meter.count(prompt, self._context_length, toolbox) for prompt in prompts]

        if len(prompts) == 1 and self._meter.is_quick(prompts[0], toolbox):
            return count()
        return await asyncio.to_thread(count)

    def _max_tokens(self, generation: Generation, prompt_tokens: int) -> int:
        room = self._context_length - prompt_tokens
        wanted = generation.max_tokens
        if room < 1 or (wanted is not None and wanted > room):
            asked = "" if wanted is None else f" and {wanted} of answer"
            raise ContextLengthExceeded(
                f"The model holds {self._context_length} tokens; you ask for at least {prompt_tokens} of prompt{asked}."
                " Shorten the prompt or lower max_tokens.",
                param=self._api.dialect.prompt,
            )
        return wanted if wanted is not None else min(self._settings.default_max_tokens, room)
