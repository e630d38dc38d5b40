"""`x-ratelimit-*`: what is left of a caller's limits, in OpenAI's headers. Pure."""

from server.accounts.limits import Allowance, Standing
from server.accounts.refusals import RateLimited, Refused

Headers = tuple[tuple[bytes, bytes], ...]


def of_standing(standing: Standing) -> Headers:
    """After a request was let in; nothing about what is not limited."""
    told = (("requests", standing.requests()), ("tokens", standing.tokens()))
    return tuple(pair for kind, allowance in told if allowance is not None for pair in _pairs(kind, allowance))


def of_refusal(error: Refused) -> Headers:
    """Of the limit that was in the way."""
    if not isinstance(error, RateLimited):
        return ()
    kind = "tokens" if error.limit == "tokens_per_minute" else "requests"
    return _pairs(kind, Allowance(error.cap, error.remaining, error.reset_ms))


def duration(milliseconds: int) -> str:
    """As Go writes it, and OpenAI with it: `12ms`, `1.5s`, `6m0s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _pairs(kind: str, allowance: Allowance) -> Headers:
    limit, remaining, reset = _NAMES[kind]
    return ((limit, b"%d" % allowance.limit), (remaining, b"%d" % allowance.remaining), (reset, duration(allowance.reset_ms).encode()))


_NAMES = {kind: tuple(f"x-ratelimit-{name}-{kind}".encode() for name in ("limit", "remaining", "reset")) for kind in ("requests", "tokens")}
