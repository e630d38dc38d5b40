"""Which messages the model is shown before it answers. Pure.

The conversation is the chain of replies that leads to the question, filled up with the last messages of the same channel, in the
order in which they were written. Nothing from another channel or from a direct message ever gets in, whatever is handed over, and nothing
of somebody who opted out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256

from adapters.conversation import CONTEXT_TURNS, Turn, before, to_chat
from clients.discord_bot.heard import Heard
from clients.discord_bot.naming import Cast, Invented
from clients.discord_bot.sentences import SENTENCES
from clients.feedback import SaidTurn


@dataclass(frozen=True)
class Hidden:
    """What is never shown: messages of `people`, who opted out, and the bot's own `notices`, which are nobody's voice."""

    people: Set[int] = frozenset()
    notices: Set[int] = frozenset()


@dataclass(frozen=True)
class Prompt:
    """What is asked, as it is sent and as it was said. `digest`: of the rendered messages. `people`: who speaks in it or is mentioned."""

    messages: list[dict[str, str]]
    said: list[SaidTurn]
    people: frozenset[int]
    cast: Cast

    @property
    def digest(self) -> str:
        return sha256(json.dumps(self.messages, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def prompt(
    asked: Heard,
    replied_to: Sequence[Heard],
    recent: Sequence[Heard],
    *,
    my_name: str,
    hidden: Hidden = Hidden(),
    invented: Invented | None = None,
) -> Prompt:
    """What to ask the model. `invented`: what its training called people, where that is known."""
    chosen = conversation(asked, replied_to, recent, hidden=hidden)
    cast = Cast(_people((asked, *chosen)), out=hidden.people, invented=invented)
    said = [_said(heard, cast.told(heard.text), cast) for heard in chosen]
    if not said or said[-1].is_self:  # a bare mention, and nobody else said anything: it is itself what was said
        said = [*said, _said(asked, f"@{my_name}", cast)][-CONTEXT_TURNS:]
    turns = [Turn(each.name, each.text, each.is_self) for each in said]
    return Prompt(to_chat(turns), said, frozenset(_people((asked, *chosen))), cast)


def _said(heard: Heard, text: str, cast: Cast) -> SaidTurn:
    author = None if heard.is_self else str(heard.author_id)
    return SaidTurn(cast.called(heard.author_id, heard.author), text, heard.is_self, author)


def conversation(
    asked: Heard, replied_to: Sequence[Heard], recent: Sequence[Heard], *, hidden: Hidden = Hidden(), limit: int = CONTEXT_TURNS
) -> list[Heard]:
    """The messages to render, oldest first, at most `limit`.

    `replied_to` is the chain of replies, the nearest first; `recent` is in any order. A bare mention asks about what stands
    before it.
    """
    room = limit - 1 if asked.text else limit
    chosen = before(_same_talk(asked, replied_to, hidden), _same_talk(asked, recent, hidden), room)
    return [*chosen, asked] if asked.text else chosen


def _same_talk(asked: Heard, candidates: Sequence[Heard], hidden: Hidden) -> list[Heard]:
    return [heard for heard in candidates if _belongs(heard, asked) and not _is_hidden(heard, hidden)]


def _belongs(heard: Heard, asked: Heard) -> bool:
    same_talk = heard.channel_id == asked.channel_id and heard.id < asked.id
    return same_talk and heard.in_server and bool(heard.text) and not heard.is_program


def _is_hidden(heard: Heard, hidden: Hidden) -> bool:
    if heard.is_self:
        return heard.text in SENTENCES or heard.id in hidden.notices  # an apology of ours is not the community's voice
    return heard.author_id in hidden.people


def _people(messages: Iterable[Heard]) -> Mapping[int, str]:
    """Everybody who speaks or is mentioned, but the bot itself."""
    people: dict[int, str] = {}
    for heard in messages:
        people |= heard.mentions
        if not heard.is_self:
            people[heard.author_id] = heard.author
    return people
