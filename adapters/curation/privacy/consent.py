"""Who may be learnt from. Ids are kept as keyed digests: the file says nobody's name or id to a reader.

Two modes: with opt-out everybody counts but those who said no; with opt-in nobody but those who said yes. A no always wins, whatever
the mode.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from adapters.curation.privacy.errors import BadList, BrokenPeople
from adapters.curation.privacy.identity import Network, identity, qualified, written_id
from adapters.curation.privacy.key import Key

_LARGEST_LIST = 16 * 1024 * 1024
_SCHEMA = 1


class Mode(Enum):
    OPT_OUT = "opt-out"
    OPT_IN = "opt-in"


@dataclass(frozen=True)
class Consent:
    """`out` and `agreed` hold digests of people, made with one key."""

    mode: Mode = Mode.OPT_OUT
    out: frozenset[str] = frozenset()
    agreed: frozenset[str] = frozenset()

    def allowed(self, key: Key, author_id: str) -> bool:
        """Whether the author of these messages (a `qualified` id) may be learnt from."""
        person = digest(key, author_id)
        return person not in self.out and (self.mode is Mode.OPT_OUT or person in self.agreed)

    def refuse(self, key: Key, author_ids: Iterable[str]) -> "Consent":
        """They said no."""
        people = frozenset(digest(key, each) for each in author_ids)
        return replace(self, out=self.out | people, agreed=self.agreed - people)

    def agree(self, key: Key, author_ids: Iterable[str]) -> "Consent":
        """They said yes; an earlier no is taken back."""
        people = frozenset(digest(key, each) for each in author_ids)
        return replace(self, out=self.out - people, agreed=self.agreed | people)

    def in_mode(self, mode: Mode) -> "Consent":
        return replace(self, mode=mode)


def digest(key: Key, author_id: str) -> str:
    """64 hex digits: the same for the same person and key, and nothing that leads back to them."""
    network, number = identity(author_id)
    return key.digest(f"consent {network.value}", number).hex()


def read_list(path: Path, network: Network) -> tuple[str, ...]:
    """The `qualified` ids in a file: one on each line; what follows a `#` at the start of a line or after a blank is a comment.

    Raises BadList for a file in which anything is no id: a no that is not understood must not be passed over.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_LIST + 1)
    except OSError as exc:
        raise BadList(f"{path} cannot be read ({exc.strerror}): give a text file with one id on each line.") from exc
    if len(content) > _LARGEST_LIST:
        raise BadList(f"{path} is larger than {_LARGEST_LIST >> 20} MiB: give a text file with one id on each line.")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise BadList(f"{path} is not UTF-8 text: give a text file with one id on each line.") from exc
    return tuple(dict.fromkeys(qualified(network, each) for each in _ids(lines, path, network)))


def _ids(lines: Iterable[str], path: Path, network: Network) -> Iterable[str]:
    for number, line in enumerate(lines, start=1):
        written = "" if line.lstrip().startswith("#") else line.partition(" #")[0].strip()
        if not written:
            continue
        found = written_id(network, written)
        if found is None:
            hint = "at most 19 digits" if network is Network.DISCORD else "a name that can be seen"
            raise BadList(f"Line {number} of {path} is no {network.value} id ({hint}): put one id on each line, and notes after a #.")
        yield found


def save_consent(path: Path, consent: Consent, key: Key) -> None:
    """Replaces the file whole or not at all. Raises OSError."""
    content = {
        "schema": _SCHEMA,
        "key": _mark(key),
        "mode": consent.mode.value,
        "out": sorted(consent.out),
        "agreed": sorted(consent.agreed),
    }
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_consent(path: Path, key: Key) -> Consent:
    """What the file says; everybody counts where there is none. Raises BrokenPeople, also for lists that were made with another key."""
    try:
        content = json.loads(path.read_bytes())
        consent = _consent(content)
        same = content["schema"] == _SCHEMA and content["key"] == _mark(key)
    except FileNotFoundError:
        return Consent()
    except OSError as exc:
        raise BrokenPeople(f"{path} cannot be read ({exc.strerror}): make it readable, as nobody's consent is known without it.") from exc
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise BrokenPeople(f"{path} is damaged: put a backup back, or delete it and give the lists of people once more.") from exc
    if not same:
        raise BrokenPeople(f"{path} was written with another key, so it names nobody: put the key back that belongs to it.")
    return consent


def _consent(content: Mapping[str, Any]) -> Consent:
    out, agreed = (frozenset(content[name]) for name in ("out", "agreed"))
    if not all(isinstance(each, str) and len(each) == 64 for each in out | agreed):
        raise ValueError("no digests")
    return Consent(Mode(content["mode"]), out, agreed)


def _mark(key: Key) -> str:
    """Tells which key the digests belong to, and nothing of it."""
    return key.digest("key", "mark").hex()[:16]
