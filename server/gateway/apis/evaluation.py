"""What a key of the scope `evaluate` may ask of /v1/completions beyond a chat key: log-probabilities of the prompt, many prompts at once.

It is what lm-evaluation-harness sends. Pure: a table of what is reserved, the wider ranges, and the bounds on what one request may cost.
Knows nothing of keys.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from server.gateway.apis.messages import read_prompt
from server.gateway.apis.parameters import (
    MAX_LOGPROBS,
    MAX_TOKENS,
    Check,
    boolean,
    completion_parameters,
    integer,
    stops,
)
from server.gateway.errors import InvalidRequest

MAX_EVALUATED_LOGPROBS = 20
"""Per token; vLLM's own limit, unless it is started with another."""
MAX_STOPS = 16
"""Tasks of lm-evaluation-harness name more of them than chats do."""
MAX_PROMPTS = 128
MAX_BATCH_TOKENS = 262_144
"""Prompts and answers of one request together, where it holds several prompts."""
MAX_LOG_PROBABILITIES = 200_000
"""Of prompts, in one request. Up to 116 bytes of answer each, as measured, and the engine holds all of them until the last is there."""


def _is_wide(value: Any) -> bool:
    return type(value) is int and MAX_LOGPROBS < value <= MAX_EVALUATED_LOGPROBS


def _is_batch(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(each, list) for each in value) or (len(value) > 1 and all(isinstance(each, str) for each in value))


RESERVED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "echo": (lambda value: value is True, "echo"),
    "prompt_logprobs": (lambda value: value is not None, "prompt_logprobs"),
    "logprobs": (_is_wide, f"logprobs above {MAX_LOGPROBS}"),
    "prompt": (_is_batch, "A list of prompts"),
}
"""Parameter → whether a value asks for what chat keys may not have, and how to name it."""


def evaluation_parameters(vocab_size: int) -> Mapping[str, Check]:
    return {
        **completion_parameters(vocab_size),
        "max_tokens": integer(0, MAX_TOKENS),
        "stop": stops(MAX_STOPS),
        "echo": boolean,
        "logprobs": integer(0, MAX_EVALUATED_LOGPROBS),
        "prompt_logprobs": integer(0, MAX_EVALUATED_LOGPROBS),
    }


def read_prompts(value: Any, vocab_size: int) -> tuple[str | tuple[int, ...], ...]:
    """Check `prompt`: a text, token ids, or a list of either kind. Raises InvalidRequest."""
    if not _is_batch(value):
        return (read_prompt(value, vocab_size),)
    if len(value) > MAX_PROMPTS:
        raise InvalidRequest(f"prompt may hold at most {MAX_PROMPTS} prompts: send the others in requests of their own.", param="prompt")
    return tuple(read_prompt(each, vocab_size) for each in value)


def measures(values: Mapping[str, Any], prompts: Sequence[object]) -> bool:
    """Whether it is asked in order to judge a model: another one's answer would be a wrong figure, and not only a poorer answer.

    `values`: the checked parameters."""
    return bool(values.get("echo")) or "prompt_logprobs" in values or len(prompts) > 1


def check_together(values: Mapping[str, Any], prompts: Sequence[object]) -> None:
    """Whether what was asked for goes together. `values`: the checked parameters. Raises InvalidRequest."""
    is_measured = measures(values, prompts)
    if values.get("max_tokens") == 0 and not values.get("echo"):
        raise InvalidRequest("max_tokens may be 0 only with echo: true, where the prompt is the answer.", param="max_tokens")
    if values.get("stream") and is_measured:
        raise InvalidRequest("echo, prompt_logprobs and several prompts are not streamed: leave stream out.", param="stream")
    if values.get("n", 1) > 1 and is_measured:
        raise InvalidRequest("n must be 1 with echo, prompt_logprobs or several prompts.", param="n")


def check_work(sampling: Mapping[str, Any], lengths: Sequence[int], answer_tokens: int) -> None:
    """Whether one request may cost this much. `lengths`: tokens of each prompt. Raises InvalidRequest with the limit and a way below it."""
    if len(lengths) > 1 and (total := sum(lengths) + len(lengths) * answer_tokens) > MAX_BATCH_TOKENS:
        raise InvalidRequest(
            f"The prompts and their answers are {total} tokens, and one request may hold {MAX_BATCH_TOKENS}: send fewer prompts at once,"
            " or lower max_tokens.",
            param="prompt",
        )
    asked = [sampling["prompt_logprobs"]] if "prompt_logprobs" in sampling else []
    if sampling.get("echo") and "logprobs" in sampling:
        asked.append(sampling["logprobs"])
    if asked and (entries := sum(lengths) * (max(asked) + 1)) > MAX_LOG_PROBABILITIES:
        name = "prompt_logprobs" if "prompt_logprobs" in sampling else "logprobs"
        raise InvalidRequest(
            f"{name} {max(asked)} over {sum(lengths)} tokens of prompt is {entries} log-probabilities, and one request may ask for"
            f" {MAX_LOG_PROBABILITIES}: send fewer or shorter prompts at once, or lower {name}.",
            param=name,
        )
