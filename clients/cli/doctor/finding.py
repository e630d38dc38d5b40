"""One thing that was looked at: how it is, in a sentence, and what to do if it is not well. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clients.cli.exits import ERROR, code_of
from clients.errors import TroupeError


class Health(StrEnum):
    WELL = "well"
    ODD = "odd"
    """Works, but somebody should know."""
    ILL = "ill"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """`fix` is what to do, empty where there is nothing; `code` is the exit code of a command that meets this."""

    what: str
    health: Health
    said: str
    fix: str = ""
    code: int = 0


def well(what: str, said: str) -> Finding:
    return Finding(what, Health.WELL, said)


def odd(what: str, said: str, fix: str) -> Finding:
    return Finding(what, Health.ODD, said, fix)


def ill(what: str, said: str, fix: str, code: int = ERROR) -> Finding:
    return Finding(what, Health.ILL, said, fix, code)


def skipped(what: str, said: str) -> Finding:
    return Finding(what, Health.SKIPPED, said)


def failed(what: str, error: TroupeError) -> Finding:
    """The clients' errors say themselves what to do."""
    return ill(what, str(error), "", code_of(error))


def exit_code(findings: Sequence[Finding]) -> int:
    """Of the first that is ill; 0 if none is."""
    return next((finding.code for finding in findings if finding.health is Health.ILL), 0)
