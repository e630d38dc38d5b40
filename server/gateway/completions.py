"""The hot path: one POST to /v1/chat/completions or /v1/completions, as a bare ASGI application.

auth → body → parse → resolve → measure → engine → relay. Each step either raises a GatewayError or hands on a value; the engine is
touched, and woken, by the last two only.
"""

import asyncio
import json

from server.accounts import Principal, Scope
from server.fleet.fleet import Fleet
from server.gateway.answer import answer, while_connected
from server.gateway.auth import Authenticator
from server.gateway.body import CallerGone, read_body
from server.gateway.canary import conversation_key
from server.gateway.directory import Directory
from server.gateway.errors import ContextLengthExceeded, MethodNotAllowed
from server.gateway.evaluation import check_work
from server.gateway.leases import read_deadline
from server.gateway.messages import Prompt
from server.gateway.parse import Dialect, Generation, engine_body, read_generation
from server.gateway.record import SCOPE_KEY, Record
from server.gateway.relay import Call
from server.gateway.reply import Receive, Reply, Send
from server.gateway.reply import Scope as AsgiScope
from server.gateway.salts import Salts
from server.gateway.settings import GatewaySettings
from server.gateway.strict_json import read_object
from server.gateway.tokens import PromptMeter
from server.gateway.upstream import Upstream


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
        upstream: Upstream,
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
        self._upstream = upstream
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
            call = await self._read(scope, receive, caller, record)
        except CallerGone:
            record.error = "caller_gone"
            return
        reply = Reply(send, write_timeout=settings.write_timeout)
        await while_connected(
            answer(call, self._fleet, self._upstream, reply, record, deadline=deadline),
            receive,
            reply,
            record,
            keepalive=settings.keepalive if call.stream else None,
        )

    async def _read(self, scope: AsgiScope, receive: Receive, caller: Principal, record: Record) -> Call:
        """What the caller asks; of its own words nothing else is kept while it waits. Raises GatewayError or CallerGone."""
        raw = await read_body(scope, receive, limit=self._settings.max_body_bytes, timeout=self._settings.body_timeout)
        dialect = self._for_evaluation if Scope.EVALUATE in caller.scopes else self._dialect
        return await self._prepare(read_generation(read_object(raw), dialect), dialect, caller, record)

    async def _prepare(self, generation: Generation, dialect: Dialect, caller: Principal, record: Record) -> Call:
        target = self._directory.find(
            generation.model, lambda: conversation_key(generation.prompts[0], generation.user), within=caller.communities
        )
        record.model, record.adapter = target.model, target.adapter
        prompts = [self._meter.plain(prompt) for prompt in generation.prompts]
        lengths = await self._lengths(prompts)
        max_tokens = self._max_tokens(generation, max(lengths), dialect)
        check_work(generation.sampling, lengths, max_tokens)
        body = engine_body(
            generation,
            dialect,
            engine_name=target.engine_name,
            prompts=prompts,
            max_tokens=max_tokens,
            cache_salt=self._salts.salt(caller, target.tenant),
        )
        return Call(
            path=self._path,
            body=json.dumps(body, separators=(",", ":")).encode(),
            engine_name=target.engine_name,
            model=target.model,
            stream=generation.stream,
            include_usage=generation.include_usage,
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
