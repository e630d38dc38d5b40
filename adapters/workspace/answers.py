"""What was brought back of a model's own answers, in a community's workspace: fetched anew as a whole, since reactions are states.

Knows a folder with two files, `answers.jsonl` and `known.json`; nothing of gateways, and nothing of what is learnt of it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.curation.own_words import Heard, OwnAnswer
from adapters.workspace.durable import make_folder, new_file, read_json, write_json
from adapters.workspace.errors import Broken
from adapters.workspace.proof import digest_of

FOLDER, ANSWERS, KNOWN = "answers", "answers.jsonl", "known.json"


@dataclass(frozen=True)
class KeptAnswers:
    """`workspace`: its folder. There may be none. Methods raise WorkspaceError."""

    workspace: Path

    @property
    def path(self) -> Path:
        return self.workspace / FOLDER / ANSWERS

    def keep(self, examples: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]) -> int:
        """In place of those that are there; how many. `examples`: as the gateway tells them. Hold the lock, here and below.

        Raises Broken where they are of another shape.
        """
        try:
            lines = [_line(example) for example in examples]
            answers = [_answer(line) for line in lines]
        except (KeyError, TypeError, ValueError) as exc:
            raise Broken(f"The gateway's answers are of another shape ({exc!r}): is it another version of Troupe?") from exc
        make_folder(self.path.parent)
        self._write(lines)
        times = sorted(answer.at for answer in answers)
        known = {
            "provenance": dict(provenance),
            "answers": len(answers),
            "first": times[0].isoformat() if times else "",
            "last": times[-1].isoformat() if times else "",
            "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(self.path.with_name(KNOWN), known)
        return len(answers)

    def read(self) -> tuple[OwnAnswer, ...]:
        """None where nothing was brought back."""
        try:
            with self.path.open("rb") as file:
                return tuple(map(_answer, file))
        except FileNotFoundError:
            return ()
        except (OSError, KeyError, TypeError, ValueError) as exc:
            raise Broken(f"The answers in {self.path.parent} cannot be read ({exc}): remove that folder and import them again.") from exc

    def state(self) -> list[str]:
        """What a dataset made of them depends on."""
        return [digest_of(self.path)] if self.path.is_file() else []

    def card_entries(self) -> list[dict[str, Any]]:
        """What a data card says of where they come from: one entry, or none."""
        if not self.path.is_file():
            return []
        known = read_json(self.path.with_name(KNOWN))
        span = {"messages": known["answers"], "first": known["first"], "last": known["last"]}
        return [{"import": FOLDER, "kind": known["provenance"]["kind"], "declaration": known["provenance"]["declaration"], **span}]

    def count(self, author_id: str) -> int:
        """How many have this person in them."""
        return sum(_involves(answer, author_id) for answer in self.read())

    def remove(self, keep: Callable[[str], bool]) -> int:
        """Leave none in which somebody is who may not stay. How many went."""
        held = self.read()
        left = [answer for answer in held if all(map(keep, _people(answer)))]
        if len(left) < len(held):
            self._write(map(_told, left))
        return len(held) - len(left)

    def _write(self, lines: Iterable[bytes]) -> None:
        with new_file(self.path) as path:
            path.touch(0o600)
            with path.open("wb") as file:
                file.writelines(lines)


def _people(answer: OwnAnswer) -> frozenset[str]:
    return answer.people | {turn.author for turn in answer.turns if turn.author}


def _involves(answer: OwnAnswer, author_id: str) -> bool:
    return author_id in _people(answer)


def _line(example: Mapping[str, Any]) -> bytes:
    """One example of the gateway's, with what is used of it."""
    heard = tuple(
        Heard(str(turn["name"]), str(turn["text"]), bool(turn["is_self"]), str(turn["author"] or "")) for turn in example["context"]
    )
    at = datetime.fromtimestamp(int(example["sent_ms"]) / 1000, UTC)
    people = frozenset(map(str, example["people"]))
    message, adapter, reply = (str(example[name]) for name in ("message_id", "adapter", "reply"))
    return _told(OwnAnswer(message, adapter, at, max(0, int(example["reward"])), heard, reply, people))


def _told(answer: OwnAnswer) -> bytes:
    content = {
        "id": answer.id,
        "adapter": answer.adapter,
        "at": answer.at.isoformat(),
        "reward": answer.reward,
        "turns": [[turn.name, turn.text, turn.is_self, turn.author] for turn in answer.turns],
        "reply": answer.reply,
        "people": sorted(answer.people),
    }
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _answer(line: bytes) -> OwnAnswer:
    content = json.loads(line)
    return OwnAnswer(
        id=content["id"],
        adapter=content["adapter"],
        at=datetime.fromisoformat(content["at"]),
        reward=content["reward"],
        turns=tuple(Heard(*turn) for turn in content["turns"]),
        reply=content["reply"],
        people=frozenset(content["people"]),
    )
