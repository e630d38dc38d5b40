"""The demo's way from messages to examples, without privacy, cap or card. Everybody else's is `curate.py`.

Pure: knows nothing of files, tokenizers or models.
"""

from collections.abc import Sequence

from adapters.conversation import CONTEXT_TURNS, Turn
from adapters.curation.dataset import Dataset, Example
from adapters.curation.reward import reward
from adapters.curation.weights import soft_cutoff
from adapters.sources.message import Message

__all__ = ["curate", "cutoff_weight", "reward"]


def cutoff_weight(people: int, *, cutoff: float = 1.5, sharpness: float = 3.0) -> float:
    """A soft cutoff: the logistic of `sharpness` times ln(people / cutoff). 0 people → 0, `cutoff` → 1/2, many → 1."""
    return soft_cutoff(people, cutoff=cutoff, sharpness=sharpness)


def curate(messages: Sequence[Message], *, held_out: float = 0.2, floor: float = 0.05) -> Dataset:
    """Examples from messages sorted by id. The last `held_out` share of the time-ordered examples is held out.

    Left out: bots, messages below the `floor` weight, and those that answer nobody else.
    """
    by_id = {message.id: place for place, message in enumerate(messages)}
    examples = []
    for place, message in enumerate(messages):
        weight = cutoff_weight(reward(message))
        if message.is_bot or weight < floor:
            continue
        turns = _context(messages, by_id, place)
        if turns and not turns[-1].is_self:
            examples.append(Example(turns, message.text, weight, message.id))
    split = len(examples) - round(len(examples) * held_out)
    return Dataset(tuple(examples[:split]), tuple(examples[split:]), {})


def _context(messages: Sequence[Message], by_id: dict[int, int], place: int) -> tuple[Turn, ...]:
    """What a reader of `messages[place]` had before it: the chain of replies it belongs to, else the channel's last messages."""
    message = messages[place]
    chain: list[Message] = []
    target = message.reply_to
    while target in by_id and len(chain) < CONTEXT_TURNS:
        quoted = messages[by_id[target]]
        chain.insert(0, quoted)
        target = quoted.reply_to
    if not chain:
        recent = [each for each in messages[max(0, place - 2 * CONTEXT_TURNS) : place] if each.channel == message.channel]
        chain = recent[-CONTEXT_TURNS:]
    return tuple(Turn(each.author, each.text, each.author_id == message.author_id) for each in chain if not each.is_bot)
