"""What can go wrong in the bot apart from the gateway's answers, each with one sentence for whoever runs it or administers a server.

TroupeError
├── StateBroken     the bot's file cannot be opened, read or written
├── BadChoice       a setting that somebody chose makes no sense
├── LinkRefused     a server cannot be linked with that key
└── NotSent         the wire held a call back; Discord was not asked
    ├── Silenced    too many calls were refused, or the token was: the breaker is open
    └── Unsendable  a body in which the wire cannot see what would be said
"""

from clients.errors import TroupeError


class StateBroken(TroupeError):
    """The bot's file cannot be opened, read or written."""


class BadChoice(TroupeError):
    """A setting that somebody chose makes no sense; the sentence is for them."""


class LinkRefused(TroupeError):
    """A server cannot be linked with that key; the sentence is for its admins and holds nothing of the key."""


class NotSent(TroupeError):
    """The wire held a call back; Discord was not asked."""


class Silenced(NotSent):
    """The breaker is open. `retry_after` is in seconds: before that no call has a chance."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unsendable(NotSent):
    """A body in which the wire cannot see what would be said: a form, a file, or no JSON."""
