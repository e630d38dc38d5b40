"""Which messages the model is shown before it answers. Pure.

The conversation is the chain of replies that leads to the question, filled up with the last messages of the same channel, in the
order in which they were written. Nothing from another channel or from a direct message ever gets in, whatever is handed over.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from adapters.conversation import CONTEXT_TURNS, Turn
from clients.discord_bot.heard import Heard
from clients.discord_bot.sentences import SENTENCES

CONTEXT_CHARACTERS = 3_000
"""Of all messages before the question together. One that does not fit is left out, so that a wall of text in the channel does not
fill the model's context for everybody."""


def conversation(
    asked: Heard, replied_to: Sequence[Heard], recent: Sequence[Heard], *, my_name: str, limit: int = CONTEXT_TURNS
) -> list[Turn]:
    """The turns to render, oldest first, at most `limit`; the last is always a person's.

    `replied_to` is the chain of replies, the nearest first; `recent` is in any order. A bare mention asks about what stands
    before it; where nothing of others does, it is itself the last turn.
    """
    room = limit - 1 if asked.text else limit
    before = _chosen(asked, chain(replied_to, sorted(recent, key=_id, reverse=True)), room)
    if asked.text:
        before.append(asked)
    turns = [Turn(heard.author, heard.text, heard.is_self) for heard in before]
    if not turns or turns[-1].is_self:
        turns.append(Turn(asked.author, f"@{my_name}"))
    return turns[-limit:]


def _chosen(asked: Heard, candidates: Iterable[Heard], room: int) -> list[Heard]:
    chosen: dict[int, Heard] = {}
    left = CONTEXT_CHARACTERS
    for heard in candidates:
        if len(chosen) < room and heard.id not in chosen and len(heard.text) <= left and _belongs(heard, asked):
            chosen[heard.id] = heard
            left -= len(heard.text)
    return sorted(chosen.values(), key=_id)


def _belongs(heard: Heard, asked: Heard) -> bool:
    same_talk = heard.channel_id == asked.channel_id and heard.id < asked.id
    excuse = heard.is_self and heard.text in SENTENCES  # an apology of ours is not the community's voice
    return same_talk and bool(heard.text) and not heard.is_program and not excuse


def _id(heard: Heard) -> int:
    return heard.id
