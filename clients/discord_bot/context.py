"""Which messages the model is shown before it answers. Pure.

The conversation is the chain of replies that leads to the question, filled up with the last messages of the same channel, in the
order in which they were written. Nothing from another channel or from a direct message ever gets in, whatever is handed over.
"""

from collections.abc import Sequence

from adapters.conversation import CONTEXT_TURNS, Turn, before
from clients.discord_bot.heard import Heard
from clients.discord_bot.sentences import SENTENCES


def conversation(
    asked: Heard, replied_to: Sequence[Heard], recent: Sequence[Heard], *, my_name: str, limit: int = CONTEXT_TURNS
) -> list[Turn]:
    """The turns to render, oldest first, at most `limit`; the last is always a person's.

    `replied_to` is the chain of replies, the nearest first; `recent` is in any order. A bare mention asks about what stands
    before it; where nothing of others does, it is itself the last turn.
    """
    room = limit - 1 if asked.text else limit
    chosen = before(_same_talk(asked, replied_to), _same_talk(asked, recent), room)
    if asked.text:
        chosen.append(asked)
    turns = [Turn(heard.author, heard.text, heard.is_self) for heard in chosen]
    if not turns or turns[-1].is_self:
        turns.append(Turn(asked.author, f"@{my_name}"))
    return turns[-limit:]


def _same_talk(asked: Heard, candidates: Sequence[Heard]) -> list[Heard]:
    return [heard for heard in candidates if _belongs(heard, asked)]


def _belongs(heard: Heard, asked: Heard) -> bool:
    same_talk = heard.channel_id == asked.channel_id and heard.id < asked.id
    excuse = heard.is_self and heard.text in SENTENCES  # an apology of ours is not the community's voice
    return same_talk and bool(heard.text) and not heard.is_program and not excuse
