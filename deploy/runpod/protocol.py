"""What a job may ask and what it is answered: the contract between a caller of the endpoint and the worker. Pure.

A job's input is `{"openai_route": "/v1/chat/completions", "openai_input": {…}}`, as other vLLM workers have it. The answer is either

* one object `{"status": 200, "body": {…}}`: anything that is not a stream, and every error from before a stream's first byte; or
* strings: pieces of a server-sent-event stream, each of whole events, so that no piece ends within a character.

The status is within the answer and an error never at its top level: the SDK turns an output with an `error` into Python's `str()`
of it, and the caller would get neither JSON nor the status.
"""

import json
from dataclasses import dataclass
from typing import Any

from adapters.registry.names import BASE, ENGINE_NAME

COMPLETIONS = ("/v1/chat/completions", "/v1/completions")
MODELS = "/v1/models"

JSONObject = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request to the engine; `body` is None for GET."""

    route: str
    body: JSONObject | None = None

    @property
    def is_stream(self) -> bool:
        return self.body is not None and self.body.get("stream") is True


class BadJob(Exception):
    """The job's input is not a call that the worker makes; `answer` is what its caller gets."""

    def __init__(self, message: str, *, param: str, status: int = 400) -> None:
        super().__init__(message)
        code = "model_not_found" if status == 404 and param == "model" else None
        self.answer = answer(status, error_body(message, "invalid_request_error", param=param, code=code))


def parse_job(job_input: object) -> Call:
    """Read a job's input. Only completions and the list of models: never the engine's routes that load, unload or sleep.

    Raises:
        BadJob: anything else.
    """
    if not isinstance(job_input, dict):
        raise BadJob("the input must be an object with openai_route and openai_input", param="input")
    route, body = job_input.get("openai_route"), job_input.get("openai_input")
    if route == MODELS:
        return Call(MODELS)
    if route not in COMPLETIONS:
        raise BadJob(f"openai_route must be one of {', '.join((*COMPLETIONS, MODELS))}", param="openai_route", status=404)
    if not isinstance(body, dict):
        raise BadJob("openai_input must be an object", param="openai_input")
    model = body.get("model")
    if not isinstance(model, str) or (model != BASE and not ENGINE_NAME.fullmatch(model)):
        raise BadJob(f"model must be {BASE!r} or an engine name, <community>-<16 hex digits>", param="model", status=404)
    if not isinstance(body.get("stream", False), bool):
        raise BadJob("stream must be true or false", param="stream")
    return Call(route, body)


def answer(status: int, body: object) -> JSONObject:
    return {"status": status, "body": body}


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> JSONObject:
    """An error as OpenAI's API writes it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event(message: str) -> str:
    """The end of a stream that cannot go on: its status is spent, so the error is an event."""
    return f"event: error\ndata: {json.dumps(error_body(message, 'server_error', code='engine_failed'))}\n\n"


DONE = "data: [DONE]"
_ENDS = (b"\n\n", b"\r\n\r\n")


class WholeEvents:
    """Passes a byte stream on in pieces of whole server-sent events."""

    def __init__(self) -> None:
        self._rest = b""
        self._said = ""

    def feed(self, chunk: bytes) -> str:
        """All events that are complete by now, as text; empty while there is none."""
        data = self._rest + chunk
        end = max((at + len(mark) for mark in _ENDS if (at := data.rfind(mark)) >= 0), default=0)
        self._rest = data[end:]
        said = data[:end].decode("utf-8", errors="replace")
        self._said = said or self._said
        return said

    @property
    def is_done(self) -> bool:
        """Whether the stream said that it is complete; one that ends without saying so was cut."""
        return not self._rest and self._said.rstrip().endswith(DONE)
