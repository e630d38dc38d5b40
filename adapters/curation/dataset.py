"""What a model learns from and is judged by: examples on disk, named by what they are. Knows nothing of how they were chosen.

A dataset is a folder: `train.jsonl`, `held_out.jsonl` (an example a line) and `card.json`. It is complete or not there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.conversation import Turn
from adapters.curation.errors import BrokenDataset

TRAIN, HELD_OUT, CARD = "train.jsonl", "held_out.jsonl", "card.json"


@dataclass(frozen=True)
class Example:
    """One thing to learn: after `turns` (oldest first, never empty), say `target`. `weight` (0 to 1) scales its loss."""

    turns: tuple[Turn, ...]
    target: str
    weight: float
    message_id: int
    author: str = ""
    """Pseudonym of whose message the target is."""
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When it was written, UTC."""
    channel: str = ""
    conversation: str = ""
    """Examples of one conversation lie on one side of the split."""
    reward: float = 0.0
    """What the community gave it, before the cutoff."""
    others: tuple[str, ...] = ()
    """Of held-out examples: other messages of the same time and channel, which the target has to beat."""
    people: tuple[str, ...] = ()
    """Pseudonyms of everybody in it, sorted: author, context, others, and who is mentioned."""


@dataclass(frozen=True)
class Dataset:
    """Examples in the order of time; every held-out one is later than every one to train on. `card`: the data card, plain JSON."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    card: Mapping[str, Any]

    @property
    def content_hash(self) -> str:
        """`sha256:<64 hex>` over the examples as they are written; the card is not in it, it names the hash."""
        digest = sha256()
        for examples in (self.train, self.held_out):
            for line in map(_line, examples):
                digest.update(line)
            digest.update(b"\0")
        return f"sha256:{digest.hexdigest()}"


def write_dataset(folder: Path, dataset: Dataset) -> None:
    """Fill `folder`, which must be empty. Raises OSError."""
    for name, examples in ((TRAIN, dataset.train), (HELD_OUT, dataset.held_out)):
        with (folder / name).open("xb") as file:
            file.writelines(map(_line, examples))
    (folder / CARD).write_text(json.dumps(dataset.card, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def read_dataset(folder: Path) -> Dataset:
    """The dataset in `folder`, compared with the hash on its card. Raises BrokenDataset."""
    try:
        card = json.loads((folder / CARD).read_bytes())
        dataset = Dataset(tuple(_examples(folder / TRAIN)), tuple(_examples(folder / HELD_OUT)), card)
        intact = card["content_hash"] == dataset.content_hash
    except OSError as exc:
        raise BrokenDataset(f"{folder} holds no dataset ({exc.strerror}): make one with `troupe curate`.") from exc
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise BrokenDataset(f"The dataset in {folder} cannot be read: make it anew with `troupe curate`.") from exc
    if not intact:
        raise BrokenDataset(f"The dataset in {folder} is not what its card says: make it anew with `troupe curate`.")
    return dataset


def _examples(path: Path) -> Iterator[Example]:
    with path.open("rb") as file:
        yield from map(_example, file)


def _line(example: Example) -> bytes:
    content = {
        "id": str(example.message_id),
        "at": example.at.isoformat(),
        "channel": example.channel,
        "conversation": example.conversation,
        "author": example.author,
        "people": list(example.people),
        "turns": [[turn.author, turn.text, turn.is_self] for turn in example.turns],
        "target": example.target,
        "weight": example.weight,
        "reward": example.reward,
        "others": list(example.others),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


def _example(line: bytes) -> Example:
    content = json.loads(line)
    return Example(
        turns=tuple(Turn(author, text, is_self) for author, text, is_self in content["turns"]),
        target=content["target"],
        weight=content["weight"],
        message_id=int(content["id"]),
        author=content["author"],
        at=datetime.fromisoformat(content["at"]),
        channel=content["channel"],
        conversation=content["conversation"],
        reward=content["reward"],
        others=_strings(content["others"]),
        people=_strings(content["people"]),
    )


def _strings(content: Iterable[str]) -> tuple[str, ...]:
    return tuple(content)
