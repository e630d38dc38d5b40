"""vLLM's sleep mode, without anything that sleeps: who is awake, what was discarded, what was lost."""

import asyncio

PARTS = frozenset({"weights", "kv_cache"})


class SleepMode:
    """Awake at first. A sleep of level 2 discards the weights, which stay away until they are read again."""

    def __init__(self) -> None:
        self._sleeping: frozenset[str] = frozenset()
        self._awake = asyncio.Event()
        self._awake.set()
        self.naps = 0
        """How often it slept so far."""
        self.has_weights = True

    @property
    def sleeping(self) -> bool:
        return bool(self._sleeping)

    def sleep(self, level: int) -> None:
        if level == 0:
            return
        self._sleeping = PARTS
        self._awake.clear()
        self.naps += 1
        self.has_weights = level < 2

    def wake(self, tags: list[str]) -> bool:
        """`tags`: which parts, all of them if empty. Returns whether all are awake."""
        self._sleeping -= frozenset(tags) or PARTS
        if not self._sleeping:
            self._awake.set()
        return not self._sleeping

    def reload_weights(self) -> None:
        self.has_weights = True

    async def until_awake(self) -> None:
        """Returns at once from who is awake: requests to a sleeping engine wait."""
        await self._awake.wait()
