"""The gateway's API as a Python object: models, chat (streamed or not), warming, status.

Knows the OpenAI wire shapes. Never repeats a request: a generation that was lost may have been made and paid for, so whether to ask
again is the caller's decision.
"""

import difflib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from clients.deltas import Delta, Head, Usage, usage_of, whole
from clients.errors import (
    BadKey,
    NotTroupe,
    ServerFault,
    TroupeError,
    UnknownModel,
    refusal,
)
from clients.feedback import Feedback, Plan
from clients.offer import Offer, read_offer
from clients.sse import events
from clients.wire import body_of, clock_of, encode, is_local, json_of, open_http, seconds_in, translated

Message = Mapping[str, str]
"""One chat message: {"role": …, "content": …}."""

SILENCE_S = 240.0
"""Longest wait for the next byte. An answer that is not streamed may have to wait for its engine to wake, two minutes unless the gateway
is told otherwise, and is made only then; a streamed one sends comments meanwhile."""
CONNECT_S = 5.0
LOOK_S = 20.0
"""Likewise where nothing waits for an engine."""


@dataclass(frozen=True)
class Reply:
    """A whole answer (the first choice)."""

    text: str
    finish_reason: str | None
    usage: Usage | None
    model: str
    request_id: str | None = None
    adapter: str | None = None
    """Which version answered, `zizou@7`; None from a server that does not say."""
    wake_seconds: float | None = None
    """How long it waited for its engine; None if it did not."""
    queue_seconds: float | None = None
    """Likewise for its turn at one that was there."""


@dataclass(frozen=True)
class Status:
    """Whether the gateway would answer now, and its own words about it."""

    ready: bool
    details: Mapping[str, object]
    clock: datetime | None = None
    """What time it is there, to a second; None if it does not say."""

    @property
    def engine(self) -> str | None:
        """The engine's state in the gateway's words: "ready", "asleep", "waking" …"""
        state = self.details.get("engine")
        return state if isinstance(state, str) else None


class Troupe:
    """A connection to one gateway with one key; an async context manager.

    `url` has no `/v1`. `timeout` is the longest silence in seconds. `transport` replaces the network, for tests. Every method
    raises `TroupeError` only.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = SILENCE_S,
    ) -> None:
        if not (api_key and api_key.isascii() and api_key.isprintable()):
            raise BadKey("The API key is empty or holds characters that no key has. Check TROUPE_API_KEY.")
        self._url = url
        self._timeout = timeout
        self._http = open_http(
            base_url=url,
            headers={"authorization": f"Bearer {api_key}"},
            transport=transport,
            timeout=httpx.Timeout(timeout, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            trust_env=not is_local(url),  # a proxy of the environment must not stand before this very machine
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; for callers that cannot use `async with`."""
        await self._http.aclose()

    async def models(self) -> list[str]:
        """The model strings that this key may use, in the gateway's order."""
        return [offer.name for offer in await self.offers()]

    async def offers(self) -> list[Offer]:
        """The models that this key may use, with what the gateway tells of each, in its order."""
        body = self._checked(await self._send("GET", "/v1/models"))
        try:
            return [read_offer(entry) for entry in body["data"]]
        except (KeyError, TypeError, AttributeError) as exc:
            raise NotTroupe(self._url, "its list of models has another shape") from exc

    async def offer(self, model: str) -> Offer:
        """What the gateway tells of one model string, also of a version or an alias. Raises UnknownModel."""
        response = await self._send("GET", f"/v1/models/{quote(model, safe='')}")
        if response.is_error:
            raise await self._error(response, model)
        try:
            return read_offer(self._checked(response))
        except (KeyError, TypeError, AttributeError) as exc:
            raise NotTroupe(self._url, "its model has another shape") from exc

    async def usage(self, community: str) -> Mapping[str, Any]:
        """What is left of a community's limits and of this key's, as the gateway tells it."""
        body = self._checked(await self._send("GET", f"/v1/usage?community={quote(community, safe='')}"))
        if not isinstance(body, dict):
            raise NotTroupe(self._url, "its usage has another shape")
        return body

    async def status(self) -> Status:
        """Whether an engine is there to answer. A gateway that says "not ready" is an answer, not an error."""
        response = await self._send("GET", "/health/ready")
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE):
            raise NotTroupe(self._url, f"HTTP {response.status_code} to a health check")
        body = json_of(response)
        return Status(response.status_code == HTTPStatus.OK, body if isinstance(body, dict) else {}, clock_of(response))

    async def version(self) -> str | None:
        """Which version of the API the gateway speaks; None from a server that does not tell."""
        body = json_of(await self._send("GET", "/openapi.json"))
        told = body.get("info") if isinstance(body, dict) else None
        version = told.get("version") if isinstance(told, dict) else None
        return version if isinstance(version, str) else None

    async def warm(self, model: str) -> str | None:
        """Tell the gateway that `model` will be asked soon, so that its engine wakes and its adapter is loaded; returns at once.

        The engine's state in the gateway's words ("ready", "waking" …); None from a server that cannot be told so, which any other than
        Troupe's is.
        """
        response = await self._send("POST", "/v1/warm", encode({"model": model}))
        if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
            error = await self._error(response, model)
            if isinstance(error, UnknownModel):
                raise error
            return None
        if response.is_error:
            raise await self._error(response, model)
        body = json_of(response)
        state = body.get("engine") if isinstance(body, dict) else None
        return state if isinstance(state, str) else None

    async def send_feedback(self, items: Sequence[Feedback], *, community: str | None = None) -> None:
        """What people thought of these answers so far, at most MOST_ITEMS; may be sent again. `community`, here and below: whose it is,
        where the key is for several."""
        sent = {"items": [item.to_json() for item in items], "community": community}
        self._checked(await self._send("POST", "/v1/feedback", encode(sent)))

    async def plans(self, *, community: str | None = None) -> dict[str, Plan]:
        """By community."""
        body = self._checked(await self._send("GET", "/v1/feedback", params={"community": community} if community else None))
        try:
            return {str(name): Plan.from_json(plan) for name, plan in body["communities"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise NotTroupe(self._url, "its plan has another shape") from exc

    async def send_consent(
        self, *, out: Sequence[str] = (), back: Sequence[str] = (), forget: Sequence[str] = (), community: str | None = None
    ) -> None:
        """These people said no, yes again, or that they want to be forgotten. What the gateway kept with them is gone then."""
        wishes = {"optout": list(out), "optin": list(back), "forget": list(forget), "community": community}
        self._checked(await self._send("POST", "/v1/consent", encode(wishes)))

    async def opted_out(self, *, community: str | None = None) -> list[str]:
        """The ids of those who said no."""
        body = self._checked(await self._send("GET", "/v1/consent", params={"community": community} if community else None))
        try:
            return [str(each["person"]) for each in body["people"]]
        except (KeyError, TypeError) as exc:
            raise NotTroupe(self._url, "its list of people has another shape") from exc

    async def complete_chat(self, model: str, messages: Sequence[Message], **params: object) -> Reply:
        """One whole answer. `params` are the API's (`max_tokens`, `temperature`, `seed`, …); None values are left out."""
        content = encode({"model": model, "messages": list(messages), "stream": False, **params})
        response = await self._send("POST", "/v1/chat/completions", content)
        if response.is_error:
            raise await self._error(response, model)
        body = self._checked(response)
        try:
            choice = body["choices"][0]
            return Reply(
                text=choice["message"]["content"] or "",
                finish_reason=choice.get("finish_reason"),
                usage=usage_of(body.get("usage")),
                model=str(body.get("model", model)),
                request_id=response.headers.get("x-request-id"),
                adapter=response.headers.get("x-troupe-adapter"),
                wake_seconds=seconds_in(response.headers.get("x-troupe-wake-seconds")),
                queue_seconds=seconds_in(response.headers.get("x-troupe-queue-seconds")),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as exc:
            raise NotTroupe(self._url, "its answer has another shape") from exc

    async def chat(
        self, model: str, messages: Sequence[Message], on_head: Callable[[Head], None] = lambda _: None, /, **params: object
    ) -> AsyncGenerator[Delta, None]:
        """An answer as it is made. `params` as for `complete_chat`; usage is asked for unless `stream_options` says otherwise.

        Ends only after the gateway said that the answer is whole; anything else raises StreamBroken. A caller that stops early
        closes it (`contextlib.aclosing`), which tells the gateway to stop the engine.
        """
        asked = {"model": model, "messages": list(messages), "stream": True, "stream_options": {"include_usage": True}}
        async with translated(self._url, self._timeout) as stage:
            request = self._http.build_request("POST", "/v1/chat/completions", **body_of(encode(asked | params)))
            response = await self._http.send(request, stream=True)
            try:
                if response.is_error:
                    await response.aread()
                    raise await self._error(response, model)
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise NotTroupe(self._url, "its answer is not a stream")
                stage.begun = True
                on_head(Head(response.headers.get("x-request-id"), response.headers.get("x-troupe-adapter")))
                async with aclosing(whole(events(response.aiter_bytes()))) as deltas:
                    async for delta in deltas:
                        yield delta
            finally:
                await response.aclose()

    async def _send(
        self, method: str, path: str, content: bytes | None = None, *, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        silence = min(self._timeout, LOOK_S) if method == "GET" else self._timeout
        async with translated(self._url, silence):
            timeout = httpx.Timeout(silence, connect=CONNECT_S)
            return await self._http.request(method, path, params=params, timeout=timeout, **body_of(content))

    def _checked(self, response: httpx.Response) -> Any:
        """The JSON body of a good response. Raises what a bad one says."""
        body = json_of(response)
        if response.is_error or body is None:
            raise refusal(response.status_code, body, response.headers) or self._stranger(response)
        return body

    async def _error(self, response: httpx.Response, model: str) -> TroupeError:
        """What an error response to a question for `model` means; for an unknown model, with the names near it."""
        body = json_of(response)
        error = refusal(response.status_code, body, response.headers)
        if error is None:
            return self._stranger(response)
        if error.status != HTTPStatus.NOT_FOUND or error.code != "model_not_found":
            return error
        known: list[str] = []
        with suppress(TroupeError):  # without the list there are only no near misses
            known = await self.models()
        return unknown_model(model, known, request_id=error.request_id)

    def _stranger(self, response: httpx.Response) -> TroupeError:
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:  # a proxy before the gateway, most likely
            return ServerFault(f"{self._url} fails with HTTP {response.status_code}.", status=response.status_code)
        return NotTroupe(self._url, f"HTTP {response.status_code} without the API's shape")


def unknown_model(model: str, known: Sequence[str], *, request_id: str | None = None) -> UnknownModel:
    """The error for a model that is not among `known`, with up to three near misses."""
    return UnknownModel(model, difflib.get_close_matches(model, known, n=3, cutoff=0.5), request_id=request_id)
