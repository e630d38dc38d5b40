"""Where one conversation of a channel ends and the next begins. Pure; holds one number a conversation.

A conversation begins after a silence of `gap`, and in a channel that is never silent after `longest`. A reply belongs to the
conversation of the message that its chain of replies began with, however late it comes.
"""

from array import array
from bisect import bisect_right
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The time, UTC, that `micros` made a number of."""
    return _EPOCH + microseconds * _MICROSECOND


class Talks:
    """The conversations of all channels. Tell it of messages in the order of their ids."""

    def __init__(self, *, gap: timedelta, longest: timedelta) -> None:
        self._gap = gap // _MICROSECOND
        self._longest = longest // _MICROSECOND
        self._starts: dict[str, array[int]] = {}
        self._last: dict[str, int] = {}

    def hear(self, channel: str, at: int) -> None:
        """A message of this channel at this time (`micros`)."""
        starts = self._starts.get(channel)
        if starts is None:
            self._starts[channel] = array("q", (at,))
        elif at > starts[-1] and (at - self._last[channel] > self._gap or at - starts[-1] > self._longest):
            starts.append(at)
        self._last[channel] = at

    def began(self, channel: str, at: int) -> int:
        """When the conversation began that this channel had at this time; in a channel that nobody was heard in: then."""
        starts = self._starts.get(channel)
        if starts is None:
            return at
        return starts[max(0, bisect_right(starts, at) - 1)]

    def starts(self, low: int, high: int) -> list[int]:
        """When conversations of any channel began, after `low` and not after `high`."""
        return sorted(start for starts in self._starts.values() for start in starts[bisect_right(starts, low) : bisect_right(starts, high)])
