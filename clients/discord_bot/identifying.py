"""How long to wait before another session with Discord's gateway is begun. Pure.

Discord lets an account begin a thousand sessions a day and takes its token away past that
(https://docs.discord.com/developers/events/gateway#session-start-limit). The library waits five seconds between two, whatever became of the
first: where sessions are ended as soon as they begin, a thousand are used up in an hour and a half. Resuming one is not counted.
"""

from collections import deque

FREE = 10
"""Sessions of one shard in an hour that cost no extra wait: a bad day of Discord's."""
HOUR_S = 3600.0
EVERY_S = 5.0
LONGEST_S = 300.0


class Identifying:
    """Times in seconds of any one monotonic clock. Each shard has its own count."""

    def __init__(self) -> None:
        self._begun: dict[int, deque[float]] = {}

    def pause(self, shard: int, now: float) -> float:
        """Seconds to wait before this shard begins another session. Twice as long with each one past `FREE` in the last hour."""
        begun = self._begun.setdefault(shard, deque())
        while begun and now - begun[0] >= HOUR_S:
            begun.popleft()
        if not begun:
            return 0.0
        wait = min(LONGEST_S, EVERY_S * 2.0 ** max(0, len(begun) - FREE))
        return max(0.0, begun[-1] + wait - now)

    def begun(self, shard: int, now: float) -> None:
        """It began one."""
        self._begun.setdefault(shard, deque()).append(now)
