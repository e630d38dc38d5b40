"""The hot path: one POST to /v1/chat/completions or /v1/completions, as a bare ASGI application.

auth → body → parse → resolve → measure → engine → relay. Each step either raises a GatewayError or hands on a value; the engine is
touched by the last one only.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Coroutine

from server.fleet.engine import Engine
from server.gateway.auth import Authenticator, Scope
from server.gateway.body import CallerGone, read_body
from server.gateway.canary import conversation_key
from server.gateway.directory import Directory
from server.gateway.errors import ContextLengthExceeded, EngineUnavailable, MethodNotAllowed
from server.gateway.evaluation import check_work
from server.gateway.messages import Prompt
from server.gateway.parse import Dialect, Generation, engine_body, read_generation
from server.gateway.readiness import ready_endpoint
from server.gateway.record import SCOPE_KEY, Record
from server.gateway.relay import Call, relay
from server.gateway.reply import Receive, Reply, Send
from server.gateway.reply import Scope as AsgiScope
from server.gateway.settings import GatewaySettings
from server.gateway.strict_json import read_object
from server.gateway.tokens import PromptMeter
from server.gateway.upstream import Upstream

TAIL_SECONDS = 1.0
"""How long an engine may take to end its response after the end of the answer; then its connection is closed."""


class Completions:
    """One of the two endpoints. Raises GatewayError until the first byte is sent, then says it in the stream."""

    def __init__(
        self,
        path: str,
        dialect: Dialect,
        *,
        for_evaluation: Dialect,
        settings: GatewaySettings,
        authenticator: Authenticator,
        directory: Directory,
        meter: PromptMeter,
        engine: Engine,
        upstream: Upstream,
        context_length: int,
        salt_key: bytes,
    ) -> None:
        self._path = path
        self._dialect = dialect
        self._for_evaluation = for_evaluation
        self._settings = settings
        self._authenticator = authenticator
        self._directory = directory
        self._meter = meter
        self._engine = engine
        self._upstream = upstream
        self._context_length = context_length
        self._salt_key = salt_key

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"Use POST for {self._path}.", allow="POST")
        caller = self._authenticator.require(Scope.CHAT, scope["headers"])
        record: Record = scope[SCOPE_KEY]
        try:
            raw = await read_body(scope, receive, limit=self._settings.max_body_bytes, timeout=self._settings.body_timeout)
        except CallerGone:
            record.error = "caller_gone"
            return
        dialect = self._for_evaluation if Scope.EVALUATE in caller.scopes else self._dialect
        call = await self._prepare(read_generation(read_object(raw), dialect), dialect, record)
        reply = Reply(send, write_timeout=self._settings.write_timeout)
        await _while_connected(relay(call, self._upstream, reply, record), receive, reply, record)

    async def _prepare(self, generation: Generation, dialect: Dialect, record: Record) -> Call:
        target = self._directory.find(generation.model, lambda: conversation_key(generation.prompts[0], generation.user))
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
            cache_salt=hmac.new(self._salt_key, target.tenant.encode(), hashlib.sha256).hexdigest(),
        )
        return Call(
            endpoint=ready_endpoint(self._engine),
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


async def _while_connected(work: Coroutine[None, None, None], receive: Receive, reply: Reply, record: Record) -> None:
    """Run `work` until it ends or the caller goes away, whichever is first; then nothing of it runs any more."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if reply.ended:  # which ASGI reports as a disconnect, too
            await asyncio.wait((working,), timeout=TAIL_SECONDS)
        if working.done():
            working.result()
        elif not reply.ended:
            record.error = "caller_gone"
    except asyncio.CancelledError:  # the server stops: what is left of the time goes to saying so
        await _cancel(working)
        if reply.started:
            await reply.fail(EngineUnavailable("The server is stopping."))
        raise
    finally:
        await _cancel(working, leaving)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: "asyncio.Future[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
