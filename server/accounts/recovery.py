"""What is charged for a request whose gateway died: what was noted of it, nothing else. Pure.

A gateway notes once a second how many tokens it has passed on (`Ledger.note`). What was streamed after the last note was given away;
a request of which nothing was noted had at most a second of the engine, and costs nothing.
"""

from server.accounts.batch import OpenRow
from server.accounts.entries import Outcome, Reservation, Settlement
from server.accounts.limits import Standing


def lost(row: OpenRow) -> tuple[Reservation, Settlement]:
    """To be settled like any other: whoever comes second changes nothing."""
    reservation = Reservation(row.request, row.day, row.tokens, row.money, 0, 0, Standing(0, ()))
    prompt = row.request.prompt_tokens if row.noted else 0
    return reservation, Settlement(Outcome.LOST, prompt_tokens=prompt, completion_tokens=row.noted)
