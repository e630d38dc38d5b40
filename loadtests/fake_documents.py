"""What vLLM says beside answers: its models, its counters, tokens of a prompt, and that it sleeps. Pure; held against the pinned vLLM.

The "tokens" are words.
"""

import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from loadtests.fake_answers import BASE

CONTEXT = 1024


@dataclass
class Counters:
    """Tokens since the start, of all requests."""

    prompt: int = 0
    generation: int = 0

    def text(self) -> str:
        """As Prometheus is told."""
        counted = (
            ("prompt_tokens", "Number of prefill tokens processed.", self.prompt),
            ("generation_tokens", "Number of generation tokens processed.", self.generation),
        )
        return "".join(_counter(f"vllm:{name}_total", about, value) for name, about, value in counted)


def _counter(name: str, about: str, value: int) -> str:
    return f'# HELP {name} {about}\n# TYPE {name} counter\n{name}{{engine="0",model_name="{BASE}"}} {value}.0\n'


def model_card(name: str, parent: str | None = None) -> dict[str, Any]:
    """An entry of /v1/models; one with a `parent` is an adapter."""
    permission = {
        "id": f"modelperm-{uuid4().hex}",
        "object": "model_permission",
        "created": int(time.time()),
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    return {
        "id": name,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "vllm",
        "root": f"/models/{name}",
        "parent": parent,
        "max_model_len": None if parent else CONTEXT,
        "permission": [permission],
    }


def model_list(adapters: Iterable[str]) -> dict[str, Any]:
    """The base, then the adapters that were loaded, oldest first."""
    return {"object": "list", "data": [model_card(BASE), *(model_card(name, BASE) for name in adapters)]}


def tokenized(prompt: str) -> dict[str, Any]:
    tokens = [zlib.crc32(word.encode()) % 50_000 for word in prompt.split()]
    return {"count": len(tokens), "max_model_len": CONTEXT, "tokens": tokens, "token_strs": None}


def slept(level: int) -> dict[str, Any]:
    return {"status": "sleeping", "level": level}


def awake(fully: bool, tags: Sequence[str] | None) -> dict[str, Any]:
    return {"status": "awake" if fully else "sleeping", "tags": tags}
