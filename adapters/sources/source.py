"""The one entry: recognises what a path holds, reads it, and gives its messages merged and in the order of time.

Knows which reader belongs to which kind; the readers know the formats.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.sources.data_package import PackageReader
from adapters.sources.discord import read_discord
from adapters.sources.errors import NoMessages, NotAnExport, NothingThere, SourceError, Unreadable
from adapters.sources.files import SourceFile, files_of
from adapters.sources.imageboard import read_imageboard
from adapters.sources.index import MessageIndex
from adapters.sources.jsonl import read_jsonl
from adapters.sources.message import Message
from adapters.sources.notes import notes, why_nothing
from adapters.sources.record import Reader
from adapters.sources.report import OVERLAP, Report, Tally
from adapters.sources.sniff import HEAD, Foreign, Kind, sniff

Progress = Callable[[int, int], None]
"""(bytes read, bytes in all), called from the reading thread."""


def _silent(done: int, total: int) -> None:
    """Progress for nobody."""


class Reading:
    """An import that was read: iterate for its messages by growing id, as often as wanted. Close it, or use it in a `with`."""

    def __init__(self, index: MessageIndex, report: Report) -> None:
        self._index = index
        self.report = report

    def __iter__(self) -> Iterator[Message]:
        return iter(self._index)

    def __len__(self) -> int:
        return self.report.messages

    def find(self, number: int) -> Message | None:
        """The message of this id, if there is one."""
        return self._index.find(number)

    def close(self) -> None:
        """Delete the temporary index. Idempotent."""
        self._index.close()

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Source:
    """An export that can be read. `members`: the names of its message files; `foreign`: the other files, and what they are."""

    path: Path
    kind: Kind
    members: frozenset[str]
    foreign: Mapping[str, str]

    def read(self, progress: Progress = _silent, *, keep: Path | None = None) -> Reading:
        """Read all of it into an index; memory stays constant. The index is a file at `keep`, or temporary. Raises SourceError."""
        tally = Tally()
        for name, what in self.foreign.items():
            tally.drop(f"file that is {what}", name)
        index = MessageIndex(str(keep or ""))
        try:
            with files_of(self.path) as files:
                size = self._fill(index, files, tally, progress)
            index.settle()
            report = self._report(index, tally, size)
            if keep is not None:
                index.keep()
            return Reading(index, report)
        except BaseException:  # whatever it was, the disk is given back; then it goes on
            index.close()
            raise

    def _fill(self, index: MessageIndex, files: tuple[SourceFile, ...], tally: Tally, progress: Progress) -> int:
        mine = [each for each in files if each.name in self.members]
        total, done = sum(each.size for each in mine), 0
        reader = _reader(self.kind, files)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(min(done, total), total)

        progress(0, total)
        for file in mine:
            try:
                with file.open(advance) as stream:
                    for record in reader(file.name, stream, tally):
                        index.add(record)
            except Unreadable as exc:
                tally.drop("rest of a file that cannot be read", str(exc))
        progress(total, total)
        return total

    def _report(self, index: MessageIndex, tally: Tally, size: int) -> Report:
        messages = len(index)
        if not messages:
            raise NoMessages(f"{self.path} {why_nothing(tally)}")
        if index.added > messages:
            tally.dropped[OVERLAP] += index.added - messages
        totals = index.totals()
        return Report(
            path=str(self.path),
            kind=self.kind.value,
            files=len(self.members),
            bytes=size,
            messages=messages,
            authors=totals.authors,
            channels=totals.channels,
            reacted=totals.reacted,
            first=totals.first,
            last=totals.last,
            dropped=dict(tally.dropped),
            places={reason: tuple(places) for reason, places in tally.places.items()},
            notes=notes(tally, totals),
        )


def open_source(path: Path) -> Source:
    """What a file, folder or zip holds, told from its bytes. Raises SourceError if that is nothing, unknown, or of several kinds."""
    kinds: dict[Kind, set[str]] = {}
    foreign: dict[str, Foreign] = {}
    with files_of(path) as files:
        if not files:
            raise NothingThere(f"{path} has no file in it: give the path of an export.")
        for file in files:
            found = _sniffed(file)
            if isinstance(found, Foreign):
                foreign[file.name] = found
            else:
                kinds.setdefault(found, set()).add(file.name)
    if not kinds:
        raise _not_an_export(path, foreign.values())
    if len(kinds) > 1:
        both = " and ".join(sorted(f"{kind.value} ({min(names)})" for kind, names in kinds.items()))
        raise NotAnExport(f"{path} holds {both}: import them one after another.")
    ((kind, names),) = kinds.items()
    # A data package is full of other files, which say nothing of what was read.
    left = {} if kind is Kind.PACKAGE else {name: each.what for name, each in foreign.items()}
    return Source(path, kind, frozenset(names), left)


def _sniffed(file: SourceFile) -> Kind | Foreign:
    try:
        with file.open() as stream:
            return sniff(stream.read(HEAD))
    except Unreadable as exc:
        return Foreign("unreadable", str(exc))


def _not_an_export(path: Path, foreign: Iterable[Foreign]) -> SourceError:
    found = sorted({(each.what, each.advice) for each in foreign})
    what = " and ".join(dict.fromkeys(what for what, _ in found))
    advice = next((advice for _, advice in found if advice), "give an export of messages")
    if what == "unreadable":
        return Unreadable(advice)
    return NotAnExport(f"{path} holds no messages that can be read (it is {what}): {advice}.")


def _reader(kind: Kind, files: tuple[SourceFile, ...]) -> Reader:
    if kind is Kind.PACKAGE:
        return PackageReader(files)
    return {Kind.DISCORD: read_discord, Kind.IMAGEBOARD: read_imageboard, Kind.JSONL: read_jsonl}[kind]
