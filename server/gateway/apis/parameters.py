"""Which parameters a caller may send, and in which ranges. Pure: two tables and the checks they are made of.

The engine never sees a caller's own object: what passes here is copied, key by key, into a new body.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.gateway.errors import InvalidRequest

INT64 = 2**63
MAX_TOKENS = 2**31 - 1
MAX_STOPS = 4
MAX_STOP_LENGTH = 256
MAX_USER_LENGTH = 256
MAX_METADATA = 16
MAX_BIASES = 300
MAX_LOGPROBS = 5
MAX_CHOICES = 4

NEUTRAL_CHAT: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "modalities": (["text"],),
    "reasoning_effort": ("none",),
    "metadata": ({},),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "prediction": (),
    "audio": (),
    "verbosity": (),
    "web_search_options": (),
}
NEUTRAL_COMPLETION: Mapping[str, tuple[Any, ...]] = {"suffix": ("",), "best_of": (1,), "echo": (False,), "prompt_logprobs": ()}
"""Parameters of OpenAI's that are not served, and the values with which they ask for nothing: clients send them unasked. So is null."""

_TOKEN_ID = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class Check:
    """How one parameter is read, and what the API's document says of it."""

    read: Callable[[Any, str], Any]
    """(value, its path for messages) -> the value to forward. Raises InvalidRequest."""
    schema: Mapping[str, Any]
    """JSON Schema of what passes; where that says less than the check does, the check is right."""

    def __call__(self, value: Any, path: str) -> Any:
        return self.read(value, path)


def kind_of(value: Any) -> str:
    """What JSON calls the type of `value`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
    return names.get(type(value), "null")


def asks_nothing(value: Any, neutral: tuple[Any, ...]) -> bool:
    """Whether `value` is null or one of `neutral`; to Python True is 1, and not here."""
    return value is None or any(type(value) is type(other) and value == other for other in neutral)


def _boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{path} must be true or false, not {kind_of(value)}.", param=path)
    return value


boolean = Check(_boolean, {"type": "boolean"})


def integer(low: int, high: int) -> Check:
    def check(value: Any, path: str) -> int:
        if type(value) is not int:  # a boolean is an int to Python, and not to the caller
            raise InvalidRequest(f"{path} must be an integer, not {kind_of(value)}.", param=path)
        if not low <= value <= high:
            raise InvalidRequest(f"{path} must be from {low} to {high}.", param=path)
        return value

    return Check(check, {"type": "integer", "minimum": low, "maximum": high})


def number(low: float, high: float, *, above_low: bool = False) -> Check:
    """A number in [low, high], or in (low, high] with `above_low`."""
    words = f"above {low:g} and at most {high:g}" if above_low else f"from {low:g} to {high:g}"

    def check(value: Any, path: str) -> float:
        if type(value) not in (int, float):
            raise InvalidRequest(f"{path} must be a number, not {kind_of(value)}.", param=path)
        if not low <= value <= high or (above_low and value == low):
            raise InvalidRequest(f"{path} must be {words}.", param=path)
        return float(value)

    return Check(check, {"type": "number", "exclusiveMinimum" if above_low else "minimum": low, "maximum": high})


def stops(most: int) -> Check:
    """A string, or up to `most`."""

    def check(value: Any, path: str) -> list[str]:
        strings = [value] if isinstance(value, str) else value
        if not isinstance(strings, list) or not all(isinstance(string, str) for string in strings):
            raise InvalidRequest(f"{path} must be a string or a list of strings.", param=path)
        if len(strings) > most:
            raise InvalidRequest(f"{path} may hold at most {most} strings.", param=path)
        if not all(0 < len(string) <= MAX_STOP_LENGTH for string in strings):
            raise InvalidRequest(f"Each string of {path} must have 1 to {MAX_STOP_LENGTH} characters.", param=path)
        return strings

    string = {"type": "string", "minLength": 1, "maxLength": MAX_STOP_LENGTH}
    return Check(check, {"anyOf": [string, {"type": "array", "maxItems": most, "items": string}]})


def _user(value: Any, path: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_USER_LENGTH or not value.isprintable():
        raise InvalidRequest(f"{path} must be a string of at most {MAX_USER_LENGTH} printable characters.", param=path)
    return value


user = Check(_user, {"type": "string", "maxLength": MAX_USER_LENGTH})


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{path} must be a string, not {kind_of(value)}.", param=path)
    return value


text = Check(_text, {"type": "string"})


def _metadata(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_METADATA:
        raise InvalidRequest(f"{path} must be an object of at most {MAX_METADATA} entries.", param=path)
    if not all(len(name) <= 64 and isinstance(each, str) and len(each) <= 512 for name, each in value.items()):
        raise InvalidRequest(f"{path} must hold strings of at most 512 characters, with names of at most 64.", param=path)
    return value


metadata = Check(_metadata, {"type": "object", "maxProperties": MAX_METADATA, "additionalProperties": {"type": "string", "maxLength": 512}})


def _stream_options(value: Any, path: str) -> dict[str, bool]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object, not {kind_of(value)}.", param=path)
    for key, option in value.items():
        if key != "include_usage" and not (key == "include_obfuscation" and asks_nothing(option, (False,))):
            raise InvalidRequest(f"{path} knows only include_usage.", param=f"{path}.{key[:64]}")
    usage = value.get("include_usage")
    return {} if usage is None else {"include_usage": boolean(usage, f"{path}.include_usage")}


_STREAM_OPTIONS = {"include_usage": {"type": ["boolean", "null"]}, "include_obfuscation": {"enum": [False, None]}}
stream_options = Check(_stream_options, {"type": "object", "additionalProperties": False, "properties": _STREAM_OPTIONS})


def logit_bias(vocab_size: int) -> Check:
    bias = number(-100, 100)

    def check(value: Any, path: str) -> dict[str, float]:
        if not isinstance(value, dict):
            raise InvalidRequest(f"{path} must be an object from token ids to numbers, not {kind_of(value)}.", param=path)
        if len(value) > MAX_BIASES:
            raise InvalidRequest(f"{path} may hold at most {MAX_BIASES} tokens.", param=path)
        for token in value:
            if not _TOKEN_ID.fullmatch(token) or int(token) >= vocab_size:
                raise InvalidRequest(f"{path} has a key that is no token id from 0 to {vocab_size - 1}.", param=path)
        return {token: bias(weight, f"{path}.{token}") for token, weight in value.items()}

    tokens = {"pattern": f"^({_TOKEN_ID.pattern})$"}
    return Check(check, {"type": "object", "maxProperties": MAX_BIASES, "propertyNames": tokens, "additionalProperties": dict(bias.schema)})


def _common(vocab_size: int) -> dict[str, Check]:
    return {
        "temperature": number(0, 2),
        "top_p": number(0, 1, above_low=True),
        "top_k": integer(-1, MAX_TOKENS),
        "min_p": number(0, 1),
        "max_tokens": integer(1, MAX_TOKENS),
        "stop": stops(MAX_STOPS),
        "seed": integer(-INT64, INT64 - 1),
        "n": integer(1, MAX_CHOICES),
        "presence_penalty": number(-2, 2),
        "frequency_penalty": number(-2, 2),
        "repetition_penalty": number(0, 2, above_low=True),
        "logit_bias": logit_bias(vocab_size),
        "stream": boolean,
        "stream_options": stream_options,
        "user": user,
    }


def chat_parameters(vocab_size: int) -> Mapping[str, Check]:
    return {
        **_common(vocab_size),
        "max_completion_tokens": integer(1, MAX_TOKENS),
        "logprobs": boolean,
        "top_logprobs": integer(0, MAX_LOGPROBS),
        "safety_identifier": user,
        "prompt_cache_key": user,
    }


def completion_parameters(vocab_size: int) -> Mapping[str, Check]:
    return {**_common(vocab_size), "logprobs": integer(0, MAX_LOGPROBS)}
