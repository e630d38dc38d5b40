"""Who takes part in a canary: a conversation does or does not, from its first request to its last. Pure.

Knows nothing of registries or requests: a community, a version, a share and a key go in, a yes or no comes out.
"""

import hashlib
import json
from collections.abc import Sequence

from server.gateway.apis.messages import Message, Prompt

START_CHARACTERS = 256
START_TOKENS = 64
"""How much of a completion's prompt names its conversation. Shorter prompts that grow can change sides: a `user` never does."""

_POINTS = 1 << 64


def takes_canary(community: str, version: int, share: float, key: str) -> bool:
    """Whether the conversation `key` gets `version` while that is the canary of `community` with `share` percent, 0 to 100.

    Who is in at one share is in at every larger one; nobody is at 0 and everybody at 100. Another community or version draws anew.
    """
    digest = hashlib.sha256(f"{community}@{version}\n{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") * 100 < share * _POINTS


def conversation_key(prompt: Prompt, user: str | None) -> str:
    """What stays the same while a conversation goes on: who talks, if the caller says so, else how it began.

    A chat begins with everything up to and including the first message of a user.
    """
    if user:
        return f"user:{user}"
    return "start:" + hashlib.sha256(_start(prompt)).hexdigest()


def _start(prompt: Prompt) -> bytes:
    if isinstance(prompt, str):
        return prompt[:START_CHARACTERS].encode("utf-8", "surrogatepass")
    return json.dumps(_opening(prompt)).encode()


def _opening(prompt: Sequence[Message | int]) -> list[object]:
    opening: list[object] = []
    for entry in prompt:
        if not isinstance(entry, Message):
            return list(prompt[:START_TOKENS])
        opening += [entry.role, entry.content]
        if entry.role == "user":
            break
    return opening
