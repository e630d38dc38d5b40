"""Fifty communities that do not know each other, and what nobody but themselves may ever see: words that can be told apart anywhere.

Each has a name, a word that its people say, one that its adapters say, two versions and a key of its own.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.registry import Base, Manifest
from loadtests.fake_engine import Voice
from tests.server.gateway.memory_registry import manifest
from tests.server.gateway.stage import Stage

CANARY = re.compile(r"(?:town|said|heard)-?[0-9a-f]{12}")


@dataclass(frozen=True)
class Town:
    number: str
    """Twelve hexadecimal digits, in all that is its own."""
    key: dict[str, str]
    versions: tuple[Manifest, ...]

    @property
    def name(self) -> str:
        return f"town-{self.number}"

    @property
    def says(self) -> str:
        """A word of its prompts."""
        return f"said{self.number}"

    @property
    def hears(self) -> str:
        """A word of its adapters."""
        return f"heard{self.number}"

    @property
    def engine_names(self) -> frozenset[str]:
        return frozenset(each.engine_name for each in self.versions)

    def foreign_in(self, text: str, *besides: str) -> set[str]:
        """What others' words are in it; `besides`: words that may be there."""
        return {found for found in CANARY.findall(text) if self.number not in found and found not in besides}


async def settle(stage: Stage, base: Base, count: int, draw: random.Random) -> list[Town]:
    """Make them, with their voices in the fake engine."""
    towns: list[Town] = []
    voices: dict[str, Voice] = {}
    for _ in range(count):
        number = f"{draw.getrandbits(48):012x}"
        versions = tuple(manifest(base, f"town-{number}", version) for version in (1, 2))
        stage.memory.add(versions[0], "live")
        stage.memory.add(versions[1], "canary", share=30.0)
        town = Town(number, await stage.key("chat", communities=[f"town-{number}"]), versions)
        voices |= {each: Voice(vocabulary=(f"heard{number}", " and", " so", " on")) for each in town.engine_names}
        towns.append(town)
    await stage.seen()
    stage.fault(voices=voices, quotes=True)
    return towns


def canaries(texts: Iterable[str]) -> set[str]:
    """All such words, whoever's they are."""
    return {found for text in texts for found in CANARY.findall(text)}
