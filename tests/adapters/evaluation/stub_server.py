"""A server of two small models with known probabilities, in vLLM's shape, without a network. What it was asked is kept."""

import json
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx

from adapters.evaluation.server import RunningServer

KEY = "tr_evaluate"
URL = "http://troupe.example"
VOCABULARY = 16
VERSIONS = {"base": "base", "zizou": "zizou@7", "zizou@7": "zizou@7"}


def expected(model: str, before: int) -> dict[int, float]:
    """Token → log-probability after the token `before`: the adapter is more sure of one, and has a taste among the others."""
    boost, taste = (2.0, 0.1) if model == "base" else (3.0, 0.5)
    weights = [math.exp(boost if token == (before + 1) % VOCABULARY else taste * (token % 4)) for token in range(VOCABULARY)]
    total = math.fsum(weights)
    return {token: math.log(weight / total) for token, weight in enumerate(weights)}


@dataclass
class StubServer:
    """`refusals` are answered first, one a request: (status, error message)."""

    refusals: list[tuple[int, str]] = field(default_factory=list)
    broken: Any = None
    """Put in place of a good answer, if set."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def client(self, key: str = KEY) -> RunningServer:
        return RunningServer(URL, key, transport=httpx.MockTransport(self._answer), pause=self.pauses.append, wait=6.0)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.url.path == "/v1/completions"
        body = json.loads(request.content)
        self.asked.append(body)
        if self.refusals:
            status, message = self.refusals.pop(0)
            return httpx.Response(status, json={"error": {"message": message, "type": "x", "param": None, "code": None}})
        if body["model"] not in VERSIONS:
            return httpx.Response(404, json={"error": {"message": "The model does not exist."}})
        if self.broken is not None:
            return httpx.Response(200, content=self.broken if isinstance(self.broken, bytes) else json.dumps(self.broken).encode())
        version = VERSIONS[body["model"]]
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        choices = [{"index": n, "text": "!", "prompt_logprobs": _told(version, text, body)} for n, text in enumerate(prompts)]
        choices.reverse()  # an order is not promised
        return httpx.Response(200, json={"model": body["model"], "choices": choices}, headers={"x-troupe-adapter": version})


def _told(model: str, text: list[int], body: dict[str, Any]) -> list[Any]:
    positions: list[Any] = [None]
    for before, token in pairwise(text):
        known = expected(model, before)
        kept = sorted(known, key=lambda each: -known[each])[: body.get("prompt_logprobs", 0)]
        positions.append({str(each): {"logprob": known[each], "rank": 1, "decoded_token": "?"} for each in {*kept, token}})
    return positions
