"""How the fuzzer makes new cases of old ones: on bytes, and on the JSON inside, with what parsers are known to disagree about."""

import json
import random
from collections.abc import Callable
from typing import Any

TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"null", b"true", b"NaN",
    b"-Infinity", b"1e999", b"-0", b"1.0", b"1e0", b"18446744073709551616", b"9223372036854775808", b"1099511627776", b"-1", b"0",
    b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\u0000", b"__metadata__", b'"__metadata__":{"a":"b"},', b'"__metadata__":null,',
    b'"F32"', b'"F64"', b'"BF16"', b'"F16"', b"dtype", b"shape", b"data_offsets", b"lora_A", b"lora_B", b"lm_head", b"embed_tokens",
    b"[" * 500, b'{"":' * 500, b"9" * 5000, b'"r":2,', b'"r":2.0,', b'"target_modules":["q_proj"],', b"sha256:" + b"0" * 64,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, 1, 2, -1, 3, 4, 8, 1.0, 0.5, 2**31, 2**40, 2**40 - 1, 2**63, 2**64, 10**30, float("nan"), float("inf"), 1e308, "",
    "F32", "F16", "BF16", "F64", "I64", "LORA", "none", "all", "q_proj", "lm_head", "\ud800", "\x00", "a\nb", "x" * 3000, [], {}, [[]], [0],
    [2, 4], [0, 32], [32, 96], [4, 2], [True, 4], [1, 1, 1, 1, 1], {"a": "b"}, {"a": 1},
    {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
]  # fmt: skip


def mutated(draw: random.Random, pool: list[bytes], *, prefixed: bool) -> bytes:
    """A new case from one or two of `pool`. `prefixed`: the JSON stands behind its length and before other bytes, as in safetensors."""
    case = draw.choice(pool)
    head, body = case, b""
    if prefixed:
        length = int.from_bytes(case[:8], "little")
        head, body = (case[8 : 8 + length], case[8 + length :]) if length <= len(case) else (case[8:], b"")
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        head = _of_json(draw, head) if draw.random() < 0.5 else draw.choice(_OF_BYTES)(draw, head, draw.choice(pool))
    if not prefixed:
        return head
    if draw.random() < 0.2:
        body = draw.choice((body + b"\1", body[:-1], body * 2, b"", bytes(len(body)), b"\xff" * len(body)))
    told = len(head) if draw.random() < 0.9 else draw.choice((0, 1, 2, len(head) - 1, len(head) + 1, 1 << 20, 1 << 40, (1 << 64) - 1))
    return max(told, 0).to_bytes(8, "little") + head + body


def _of_json(draw: random.Random, text: bytes) -> bytes:
    """One value somewhere in the tree is replaced, removed, moved or written twice; the text is left alone where it is no JSON."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return _inserted(draw, text, b"")
    places = list(_places(tree))
    if not places:
        return json.dumps(draw.choice(VALUES)).encode()
    parent, key = draw.choice(places)
    other, other_key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            parent[key] = draw.choice(VALUES)
        case 1:
            parent[key] = json.loads(json.dumps(other[other_key]))
        case 2:
            del parent[key]
        case 3 if isinstance(parent, dict):
            parent[draw.choice([*list(parent), "lora_A", "__metadata__", "auto_mapping", "\ud800", "", "x" * 300])] = parent.pop(key)
        case _:
            written = json.dumps(tree, separators=(",", ":")).encode()
            again = json.dumps(key).encode()
            return written.replace(again, again + b":" + json.dumps(draw.choice(VALUES)).encode() + b"," + again, 1)
    return json.dumps(tree, separators=draw.choice(((",", ":"), (", ", ": "))), ensure_ascii=draw.random() < 0.7).encode(errors="replace")


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (list or object, index or key) of the tree."""
    found, left = [], [tree]
    while left:
        node = left.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
        found += [(node, key) for key in keys]
        left += [node[key] for key in keys]
    return found


def _flipped(draw: random.Random, text: bytes, other: bytes) -> bytes:
    if not text:
        return other
    at = draw.randrange(len(text))
    return text[:at] + bytes([text[at] ^ (1 << draw.randrange(8))]) + text[at + 1 :]


def _inserted(draw: random.Random, text: bytes, other: bytes) -> bytes:
    at = draw.randrange(len(text) + 1)
    return text[:at] + draw.choice(TOKENS) + text[at:]


def _cut(draw: random.Random, text: bytes, other: bytes) -> bytes:
    first, last = sorted(draw.randrange(len(text) + 1) for _ in range(2))
    return text[:first] + text[last:]


def _repeated(draw: random.Random, text: bytes, other: bytes) -> bytes:
    """Mostly a few times; now and then as often as fits into the longest header."""
    first, last = sorted(draw.randrange(len(text) + 1) for _ in range(2))
    part = text[first:last]
    times = draw.choice((1, 2, 3)) if draw.random() < 0.98 else (1 << 20) // (len(part) or 1)
    return text[:last] + part * times + text[last:]


def _spliced(draw: random.Random, text: bytes, other: bytes) -> bytes:
    return text[: draw.randrange(len(text) + 1)] + other[draw.randrange(len(other) + 1) :]


def _numbered(draw: random.Random, text: bytes, other: bytes) -> bytes:
    """A digit somewhere becomes another number."""
    digits = [at for at, byte in enumerate(text[:4096]) if 48 <= byte <= 57]
    if not digits:
        return _inserted(draw, text, other)
    at = draw.choice(digits)
    return text[:at] + draw.choice((b"0", b"1", b"2", b"4", b"8", b"-", b"9999999", b"1.5", b"1e3", b"true")) + text[at + 1 :]


_OF_BYTES: list[Callable[[random.Random, bytes, bytes], bytes]] = [_flipped, _inserted, _cut, _repeated, _spliced, _numbered]
