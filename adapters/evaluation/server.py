"""A running Troupe, asked how likely texts are: a thin client of /v1/completions. The one place where httpx's errors become sentences.

Sends token ids, so that nothing of a text is understood differently there. Knows nothing of examples, scores or cards.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.evaluation.errors import NotServed

PROMPTS_AT_ONCE = 32
NUMBERS_AT_ONCE = 100_000
"""Log-probabilities of one request: half of what a gateway allows."""
MAX_LOGPROBS = 20
WAIT_SECONDS = 300.0
"""For one answer, and for an engine that is still waking."""
PAUSE_SECONDS = 2.0
ADAPTER_HEADER = "x-troupe-adapter"

TopTokens = Mapping[int, float]
"""Token id → log-probability: the likeliest ones at a position, and the one that stands there."""


@dataclass(frozen=True)
class Scored:
    """A text as a served model sees it. `positions[i]` is what was expected at token i + 1; nothing is expected of the first."""

    tokens: tuple[int, ...]
    positions: tuple[TopTokens, ...]

    def log_likelihood(self, start: int) -> float:
        """In nats, of the tokens from `start` (at least 1) on."""
        return sum(position[token] for position, token in zip(self.positions[start - 1 :], self.tokens[start:], strict=True))


class RunningServer:
    """`url` without /v1; `key` of the scope evaluate. `transport` replaces the network and `pause` the waiting, for tests."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
        wait: float = WAIT_SECONDS,
    ) -> None:
        if not (key and key.isascii() and key.isprintable()):
            raise NotServed("There is no key to evaluate with: set TROUPE_EVALUATE_KEY to the gateway's (its TROUPE_HOME/keys/evaluate).")
        self.url = url
        self.key = key
        self._pause = pause
        self._wait = wait
        host = httpx.URL(url).host
        self._http = httpx.Client(
            base_url=f"{url}/v1",
            headers={"authorization": f"Bearer {key}"},
            transport=transport,
            timeout=httpx.Timeout(wait, connect=5.0),
            trust_env=host not in ("127.0.0.1", "::1", "localhost"),  # a proxy must not stand before this very machine
        )

    def close(self) -> None:
        self._http.close()

    def version(self, model: str) -> str:
        """What answers for `model` now, as a model string that means the same tomorrow: `zizou@7`, or `base`. Raises NotServed."""
        response = self._post({"model": model, "prompt": [0, 0], "max_tokens": 1, "prompt_logprobs": 0, "temperature": 0.0})
        return str(response.headers.get(ADAPTER_HEADER, model))

    def score(self, model: str, texts: Sequence[Sequence[int]], top: int) -> list[Scored]:
        """Each text's tokens with the `top` likeliest at every position but the first. Raises NotServed."""
        found: list[Scored] = []
        for batch in batches(texts, top):
            asked = {"model": model, "prompt": [list(text) for text in batch], "max_tokens": 1, "prompt_logprobs": top, "temperature": 0.0}
            found += read_scored(self._post(asked).content, batch)
        return found

    def complete(self, model: str, prompt: Sequence[int], *, max_tokens: int, stop: Sequence[str] = ()) -> str:
        """The likeliest continuation. Raises NotServed."""
        asked = {"model": model, "prompt": list(prompt), "max_tokens": max_tokens, "stop": list(stop), "temperature": 0.0}
        content = _object(self._post(asked).content)
        try:
            return str(content["choices"][0]["text"])
        except (KeyError, IndexError, TypeError) as exc:
            raise _other_shape(exc) from exc

    def _post(self, body: Mapping[str, Any]) -> httpx.Response:
        waited = 0.0
        while True:
            try:
                response = self._http.post("/completions", json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
                raise NotServed(f"No Troupe gateway answers at {self.url}: start one with `troupe up`, or say --url.") from exc
            except httpx.TimeoutException as exc:
                raise NotServed(f"{self.url} was silent for {self._wait:g} s: look with `troupe status` how its engine is.") from exc
            except httpx.RequestError as exc:
                raise NotServed(f"The connection to {self.url} broke ({type(exc).__name__}): try again.") from exc
            if response.status_code not in (429, 503) or waited >= self._wait:
                break
            self._pause(PAUSE_SECONDS)
            waited += PAUSE_SECONDS
        if response.status_code != 200:
            raise NotServed(self._refusal(response, str(body["model"])))
        return response

    def _refusal(self, response: httpx.Response, model: str) -> str:
        try:
            said = response.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            return f"What answers at {self.url} is no Troupe gateway (HTTP {response.status_code}): check --url."
        if response.status_code in (401, 403):
            return (
                f"{self.url} does not let this key evaluate: set TROUPE_EVALUATE_KEY to the gateway's evaluate key"
                " (its TROUPE_HOME/keys/evaluate)."
            )
        if response.status_code == 404:
            return f"{self.url} serves no model {model!r}: `troupe models` lists what it serves."
        return f"{self.url} does not score {model!r}: {str(said)[:500]}"


def batches(texts: Sequence[Sequence[int]], top: int) -> Iterator[Sequence[Sequence[int]]]:
    """`texts` in their order, in groups that one request may hold."""
    group: list[Sequence[int]] = []
    numbers = 0
    for text in texts:
        cost = len(text) * (top + 1)
        if group and (len(group) == PROMPTS_AT_ONCE or numbers + cost > NUMBERS_AT_ONCE):
            yield group
            group, numbers = [], 0
        group.append(text)
        numbers += cost
    if group:
        yield group


def read_scored(answer: bytes, texts: Sequence[Sequence[int]]) -> list[Scored]:
    """What vLLM says of the prompts `texts` in one completion. Raises NotServed if it says something else."""
    content = _object(answer)
    try:
        choices = sorted(content["choices"], key=lambda choice: int(choice["index"]))
        if len(choices) != len(texts):
            raise NotServed(f"The server scored {len(choices)} of {len(texts)} texts: is it another version of Troupe?")
        return [_scored(choice["prompt_logprobs"], text) for choice, text in zip(choices, texts, strict=True)]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise _other_shape(exc) from exc


def _scored(said: Sequence[Any], text: Sequence[int]) -> Scored:
    if len(said) != len(text) or said[0] is not None:
        raise ValueError("other positions than were sent")
    positions = []
    for token, position in zip(text[1:], said[1:], strict=True):
        known = {int(other): float(told["logprob"]) for other, told in position.items()}
        if token not in known or not all(map(math.isfinite, known.values())):
            raise ValueError("a position without its own token")
        positions.append(known)
    return Scored(tuple(text), tuple(positions))


def _object(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError as exc:
        raise _other_shape(exc) from exc


def _other_shape(exc: Exception) -> NotServed:
    return NotServed(f"The server answers in another shape ({exc!r}): is it another version of Troupe?")
