"""What people in the channel read when there is no answer: a friendly sentence, without addresses, keys or stack traces."""

from clients.errors import NoServer, Overloaded, Refused, ServerFault, StreamBroken, TimedOut, TroupeError

ASLEEP = "I can't find my voice right now. Try me again in a minute."
BUSY = "Too many people want to talk to me at once. Ask me again in a minute."
BROKE = "I have talked so much that my budget is used up. I'll be back when it is filled again."
TOO_LONG = "That is more than I can read at once."
MISCONFIGURED = "I'm not set up right. Whoever runs me finds the reason in my log."
SPEECHLESS = "I have no words."
LATE = "Give me a moment, I have only just woken up."
SLOWER = "One at a time, please: I'll listen again in a minute."
UNLINKED = "I have no voice here yet. Somebody who manages this server can give me one with `/troupe link`."
OTHER_RENDERER = (
    "My voice was trained to read chats in another form than mine, so I'd rather say nothing: train it again, or go back to a version "
    "that was trained in mine."
)

SENTENCES = frozenset({ASLEEP, BUSY, BROKE, TOO_LONG, MISCONFIGURED, SPEECHLESS, LATE, SLOWER, UNLINKED, OTHER_RENDERER})

_BY_CODE = {
    "insufficient_quota": BROKE,
    "context_length_exceeded": TOO_LONG,
    # Both come as a 503 does, but nobody else is in the way: the engine did not wake, or not in time.
    "deadline_exceeded": ASLEEP,
    "engine_unavailable": ASLEEP,
    # What broke an answer off has no status.
    "rate_limit_exceeded": BUSY,
    "server_is_overloaded": BUSY,
}


def apology(error: TroupeError) -> str:
    """The sentence for people; the reason itself belongs in the log."""
    if isinstance(error, Refused | StreamBroken) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, Overloaded):
        return BUSY
    return ASLEEP if isinstance(error, NoServer | ServerFault | StreamBroken | TimedOut) else MISCONFIGURED
