"""What can go wrong in the bot apart from the gateway's answers, each with one sentence for whoever runs it or administers a server.

TroupeError
├── StateBroken     the bot's file cannot be opened, read or written
├── BadChoice       a setting that somebody chose makes no sense
└── LinkRefused     a server cannot be linked with that key
"""

from clients.errors import TroupeError


class StateBroken(TroupeError):
    """The bot's file cannot be opened, read or written."""


class BadChoice(TroupeError):
    """A setting that somebody chose makes no sense; the sentence is for them."""


class LinkRefused(TroupeError):
    """A server cannot be linked with that key; the sentence is for its admins and holds nothing of the key."""
