"""Which of two answers somebody liked better without knowing whose it was: one line of JSON each, in a file of the owner's."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from clients.errors import TroupeError


@dataclass(frozen=True)
class Vote:
    """`winner` is one of the two models; None if neither was better."""

    question: str
    first: str
    second: str
    winner: str | None


class NotCounted(TroupeError):
    """The vote could not be written down."""


class Votes:
    """All votes that were ever given on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, vote: Vote) -> None:
        """Raises NotCounted."""
        line = json.dumps(asdict(vote), ensure_ascii=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as file:
                file.write(line)
        except OSError as exc:
            raise NotCounted(f"The vote was not written down: {self._path}: {exc.strerror}.") from exc

    def tally(self, first: str, second: str) -> str:
        """A sentence on how the two stand against each other, in whichever order they were shown."""
        winners = [vote.winner for vote in self._read() if {vote.first, vote.second} == {first, second}]
        one, two = sorted((first, second))
        if one == two:
            return ""
        return f"So far {one} {winners.count(one)}, {two} {winners.count(two)}, neither {winners.count(None)}."

    def _read(self) -> list[Vote]:
        votes = []
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        for line in lines:
            try:
                votes.append(Vote(**json.loads(line)))
            except (ValueError, TypeError):  # half a line, written when the disk was full
                continue
        return votes
