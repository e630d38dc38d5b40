"""Imports of one community: each a folder with its messages and what is known of it, and all of them read as one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from heapq import merge
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from adapters.curation.privacy.identity import network_of, qualified
from adapters.sources.errors import NoMessages, NoRoom
from adapters.sources.files import files_of
from adapters.sources.message import Message
from adapters.sources.source import Source
from adapters.workspace.durable import new_file, new_folder, read_json, write_json
from adapters.workspace.errors import Broken, DiskFull
from adapters.workspace.stored import Keep, StoredMessages, Traces, qualify, take_out

MESSAGES, KNOWN = "messages.db", "import.json"
Advance = Callable[[int, int], None]
"""(bytes read, bytes in all)."""


@dataclass(frozen=True)
class Import:
    """One import on disk. `known`: import.json, what was read and dropped, and where the data comes from."""

    folder: Path
    known: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def path(self) -> Path:
        return self.folder / MESSAGES

    @property
    def kind(self) -> str:
        """Of the source, as its report says it."""
        return str(self.known["report"]["kind"])

    @property
    def fingerprint(self) -> str:
        """Of what was read, and how: the same export again has the same."""
        return str(self.known["fingerprint"])

    def card_entry(self) -> dict[str, Any]:
        """What a data card says of where this data comes from."""
        declared = self.known["provenance"]
        span = {name: self.known[name] for name in ("messages", "first", "last")}
        return {"import": self.id, "kind": declared["kind"], "declaration": declared["declaration"], **span}

    def state(self) -> dict[str, Any]:
        """What a dataset made of it depends on."""
        return {"id": self.id, "fingerprint": self.fingerprint, "messages": self.known["messages"], "rewritten": self.known["rewritten"]}

    def stored(self) -> StoredMessages:
        return StoredMessages(self.path)


@dataclass(frozen=True)
class Wish:
    """How to import. `provenance` has "kind" and "declaration"; `keep` says who may stay, None for everybody."""

    provenance: Mapping[str, Any]
    private: bool = False
    """Keep direct messages, groups' and those of private threads."""
    keep: Keep | None = None


def read_import(folder: Path) -> Import:
    """Raises Broken."""
    known = read_json(folder / KNOWN)
    if not {"provenance", "report", "fingerprint", "messages", "first", "last", "rewritten"} <= known.keys():
        raise Broken(f"{folder / KNOWN} is damaged: remove {folder} and import it again.")
    return Import(folder, known)


def fingerprint_of(source: Source, wish: Wish) -> str:
    """Of the files' names, sizes and times, not of their bytes: exports are large."""
    digest = sha256(f"{source.kind.value} {wish.private} {dict(wish.provenance)}".encode())
    with files_of(source.path) as files:
        for file in sorted(files, key=lambda each: each.name):
            path = source.path / file.name if source.path.is_dir() else source.path
            digest.update(f"{file.name}\0{file.size}\0{path.stat().st_mtime_ns}\0".encode("utf-8", "replace"))
    return digest.hexdigest()[:16]


def make_import(folder: Path, source: Source, wish: Wish, progress: Advance) -> Import:
    """Read `source` into `folder`, which must not be there. Raises SourceError or WorkspaceError; then nothing is left."""
    with new_folder(folder) as unfinished:
        try:
            with source.read(progress, keep=unfinished / MESSAGES) as reading:
                report = reading.report
        except NoRoom as exc:
            raise DiskFull(f"There is no room left at {folder.parent}: free some, or set TROUPE_HOME to a larger disk.") from exc
        path = unfinished / MESSAGES
        network = network_of(source.kind)
        if prefix := qualified(network, ""):
            qualify(path, prefix)
        left_out = take_out(path, wish.keep, private=wish.private)
        path.chmod(0o600)
        span = _span(path)
        if not span["messages"]:
            advice = "use --private if everybody in them agreed" if not wish.private else "look at the opt-out list"
            raise NoMessages(f"All {report.messages} messages of {source.path} are private or of people who opted out: {advice}.")
        known = {
            "schema": 1,
            "made_at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "troupe": version("troupe"),
            "provenance": dict(wish.provenance),
            "private": wish.private,
            "network": network.value,
            "fingerprint": fingerprint_of(source, wish),
            **span,
            "left_out": {"messages": left_out.messages, "mentions": left_out.mentions, "reactions": left_out.reactions},
            "rewritten": 0,
            "report": report.to_json(),
        }
        write_json(unfinished / KNOWN, known)
    return read_import(folder)


def rewrite_import(made: Import, keep: Keep) -> tuple[Import, Traces]:
    """Leave nothing of people who may not stay; the file is replaced whole, so that its old bytes are gone. Raises WorkspaceError."""
    with new_file(made.path) as copy:
        copy.touch(0o600)
        with made.path.open("rb") as old, copy.open("wb") as new:
            while chunk := old.read(1 << 20):
                new.write(chunk)
        taken = take_out(copy, keep)
    write_json(made.folder / KNOWN, {**made.known, **_span(made.path), "rewritten": made.known["rewritten"] + 1})
    return read_import(made.folder), taken


class MergedMessages:
    """Messages of several imports by growing id; of one that several have, the copy of the last import. Close it, or use it in a `with`."""

    def __init__(self, imports: Sequence[Import]) -> None:
        """`imports`: oldest first. Raises Broken."""
        with ExitStack() as stack:
            self._parts = [stack.enter_context(each.stored()) for each in imports]
            self._open = stack.pop_all()
        self._size: int | None = None

    def __iter__(self) -> Iterator[Message]:
        if len(self._parts) == 1:
            yield from self._parts[0]
            return
        streams = (_numbered(part, at) for at, part in enumerate(self._parts))
        for _, copies in groupby(merge(*streams, key=lambda each: each[:2]), key=lambda each: each[0]):
            yield next(copies)[2]

    def __len__(self) -> int:
        if self._size is None:
            only = len(self._parts) == 1
            self._size = len(self._parts[0]) if only else sum(1 for _ in groupby(merge(*(part.ids() for part in self._parts))))
        return self._size

    def find(self, number: int) -> Message | None:
        """The message of this id, if there is one."""
        found = (part.find(number) for part in reversed(self._parts))
        return next((message for message in found if message is not None), None)

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> "MergedMessages":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _numbered(part: StoredMessages, at: int) -> Iterator[tuple[int, int, Message]]:
    """In the order that puts the copy of the last import first."""
    for message in part:
        yield message.id, -at, message


def _span(path: Path) -> dict[str, Any]:
    """How many messages there are, and the times of the first and the last."""
    with StoredMessages(path) as stored:
        ends = stored.ends()
        times = [each.at.isoformat() for each in ends] or ["", ""]
        return {"messages": len(stored), "first": times[0], "last": times[-1]}
