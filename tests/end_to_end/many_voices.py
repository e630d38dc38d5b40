"""A stack and the adapters of a choir, each with a word of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.admin import Admin
from tests.end_to_end.constant_voices import Member
from tests.end_to_end.stack import Stack

SLOTS, IN_MEMORY = 8, 12
CACHED_SHARE = 0.8
"""Of the members' bytes, how much fits into the engine's cache of files."""


@dataclass(frozen=True)
class Choir:
    stack: Stack
    admin: Admin
    members: Sequence[Member]


def choir_settings(base: Path, members: Sequence[Member]) -> dict[str, str]:
    """For a stack that has to load, drop and fetch again all the time."""
    return {
        "TROUPE_BASE": str(base),
        "TROUPE_ENGINE_MAX_LORAS": str(SLOTS),
        "TROUPE_ENGINE_MAX_CPU_LORAS": str(IN_MEMORY),
        "TROUPE_ENGINE_CACHE_GIB": str(cache_bytes(members) / (1 << 30)),
    }


def cache_bytes(members: Sequence[Member]) -> int:
    """Files are published in float32 and stored in half of that, more or less."""
    return int(CACHED_SHARE * sum((member.adapter / "adapter_model.safetensors").stat().st_size / 2 for member in members))
