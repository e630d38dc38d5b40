"""From messages to training examples: which messages are worth learning, how much, and what was said before them.

Pure: knows nothing of files, tokenizers or models.
"""

import math
from collections.abc import Sequence

from adapters.conversation import CONTEXT_TURNS, Turn
from adapters.curation.dataset import Dataset, Example
from adapters.sources.message import Message


def reward(message: Message) -> int:
    """How many people reacted, the author and bots not counted.

    Where the source names only some of those who reacted, the rest of the largest count is believed.
    """
    named = frozenset[str]().union(*(reaction.users for reaction in message.reactions))
    unnamed = max((max(0, each.count - len(each.users) - len(each.bots)) for each in message.reactions), default=0)
    return len(named - {message.author_id}) + unnamed


def cutoff_weight(people: int, *, cutoff: float = 1.5, sharpness: float = 3.0) -> float:
    """A soft cutoff: the logistic of `sharpness` times ln(people / cutoff). 0 people → 0, `cutoff` → 1/2, many → 1."""
    if people <= 0:
        return 0.0
    return 1 / (1 + math.exp(-sharpness * math.log(people / cutoff)))


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
