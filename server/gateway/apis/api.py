"""The APIs that callers speak, each in one value: how its requests are read, how the engine is asked, how answers and errors are told.

vLLM has the younger two itself. Here they are read into chats instead: a prompt has to be rendered as the engine will render it before it
can be counted and paid for, so a request's translation is needed in any case; then one route of the engine's, one way to count and one way
to fail serve all of them.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from server.accounts import Scope
from server.gateway.apis import anthropic_errors, responses_errors
from server.gateway.apis.anthropic_answer import MessageTeller
from server.gateway.apis.anthropic_request import anthropic_dialect, read_message_request
from server.gateway.apis.chat_answer import ChatEvents, Teller, tell_whole
from server.gateway.apis.error_shape import OPENAI_ERRORS, ErrorShape
from server.gateway.apis.parse import Dialect, Generation, chat_dialect, completion_dialect, evaluation_dialect, read_generation
from server.gateway.apis.responses_answer import ResponseTeller
from server.gateway.apis.responses_request import read_response, responses_dialect
from server.gateway.relay import Telling
from server.gateway.sse import EventStream, Renamer

CHAT, TEXT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"


@dataclass(frozen=True)
class Names:
    """Of one request and who answers it."""

    engine_name: str
    model: str
    """What the caller called it."""
    request_id: str


@dataclass(frozen=True)
class Spoken:
    """A request that was read."""

    generation: Generation
    telling: Callable[[Names], Telling]


@dataclass(frozen=True)
class Api:
    path: str
    dialect: Dialect
    """What callers may say."""
    read: Callable[[Mapping[str, Any], Dialect], Spoken]
    """Raises InvalidRequest or Forbidden."""
    asks: str
    """The engine's route."""
    engine: Dialect
    """How that is spoken."""
    evaluation: Dialect | None = None
    """What callers may say whose key is for evaluation, where such keys are let in."""
    errors: ErrorShape = OPENAI_ERRORS

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """A key needs one of them."""
        return (Scope.CHAT,) if self.evaluation is None else (Scope.CHAT, Scope.EVALUATE)

    def speak(self, content: Mapping[str, Any], *, evaluates: bool) -> Spoken:
        """Raises InvalidRequest or Forbidden."""
        return self.read(content, self.evaluation if evaluates and self.evaluation else self.dialect)


def build_apis(vocab_size: int, *, no_tools: str | None) -> tuple[Api, ...]:
    """`no_tools`: why no tools are served, one sentence; None if they are."""
    chat = chat_dialect(vocab_size, no_tools=no_tools)
    text, evaluation = completion_dialect(vocab_size), evaluation_dialect(vocab_size)
    return (
        Api(CHAT, chat, _read_plain, CHAT, chat),
        Api(TEXT, text, _read_plain, TEXT, text, evaluation),
        Api(RESPONSES, responses_dialect(no_tools=no_tools), _read_response, CHAT, chat, errors=responses_errors.SHAPE),
        Api(MESSAGES, anthropic_dialect(no_tools=no_tools), _read_message, CHAT, chat, errors=anthropic_errors.SHAPE),
    )


def _read_plain(content: Mapping[str, Any], dialect: Dialect) -> Spoken:
    generation = read_generation(content, dialect)

    def telling(names: Names) -> Telling:
        renamer = Renamer(names.engine_name, names.model)
        return Telling(partial(EventStream, renamer, include_usage=generation.include_usage), renamer.rename)

    return Spoken(generation, telling)


def _read_response(content: Mapping[str, Any], dialect: Dialect) -> Spoken:
    generation, echo = read_response(content, dialect)
    created = int(time.time())
    return Spoken(generation, lambda names: _retold(partial(ResponseTeller, names.request_id, names.model, created, echo)))


def _read_message(content: Mapping[str, Any], dialect: Dialect) -> Spoken:
    return Spoken(read_message_request(content, dialect), lambda names: _retold(partial(MessageTeller, names.request_id, names.model)))


def _retold(teller: Callable[[], Teller]) -> Telling:
    return Telling(lambda: ChatEvents(teller()), lambda answer: tell_whole(answer, teller()))
