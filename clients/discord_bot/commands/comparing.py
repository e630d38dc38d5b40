"""Two voices side by side without their names, and buttons to say which is better.

Which voice stands where is drawn from the command's own id and told to nobody before the end. A button carries all that is needed to
count its vote, so one that was shown before a restart still counts after it.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import discord

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.replying import excuse, whisper
from clients.discord_bot.commands.rights import guild_of, may_manage
from clients.discord_bot.store.votes import Vote
from clients.errors import TroupeError

Button = discord.ui.Button[discord.ui.View]

_PAIR = r"(?P<community>[a-z0-9][a-z0-9-]{0,62}):(?P<one>\d{1,9}):(?P<other>\d{1,9})"
SHOWN = 720
"""Characters of each answer: both, the question and the words around them have to fit into one message."""


@dataclass(frozen=True)
class Pair:
    """Two voices in the order in which they are shown; version 0 is the base."""

    community: str
    one: int
    other: int

    @property
    def names(self) -> tuple[str, str]:
        return self._name(self.one), self._name(self.other)

    def shuffled(self, seed: int) -> "Pair":
        """The same pair in the order that `seed` gives, either way as often as the other."""
        turned = sha256(str(seed).encode()).digest()[0] & 1
        return Pair(self.community, self.other, self.one) if turned else self

    def __str__(self) -> str:
        return f"{self.community}:{self.one}:{self.other}"

    @classmethod
    def read(cls, found: re.Match[str]) -> "Pair":
        return cls(found["community"], int(found["one"]), int(found["other"]))

    def _name(self, version: int) -> str:
        return f"{self.community}@{version}" if version else "base"


def shown(question: str, answers: tuple[str, str]) -> str:
    """The message with both answers."""
    return "\n\n".join(
        [f"> {' '.join(question.split())}", *(f"**{letter}**\n{_short(text)}" for letter, text in zip("AB", answers, strict=True))]
    )


def buttons(desk: Desk, pair: Pair, asker: int) -> discord.ui.View:
    """The view of a comparison. It never times out: what it needs is in the buttons."""
    view = discord.ui.View(timeout=None)
    vote, reveal = vote_button(desk), reveal_button(desk)
    for letter in "AB":
        view.add_item(vote(pair, letter))
    view.add_item(reveal(pair, asker))
    return view


def vote_button(desk: Desk) -> Any:
    """The class of the buttons A and B, for `discord.Client.add_dynamic_items`."""

    class VoteButton(discord.ui.DynamicItem[Button], template=rf"troupe:vote:{_PAIR}:(?P<letter>[AB])"):
        def __init__(self, pair: Pair, letter: str) -> None:
            super().__init__(discord.ui.Button(label=letter, custom_id=f"troupe:vote:{pair}:{letter}"))
            self._pair, self._letter = pair, letter

        @classmethod
        async def from_custom_id(cls, _interaction: Any, _item: Any, found: re.Match[str], /) -> Self:
            return cls(Pair.read(found), found["letter"])

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            try:
                await _vote(desk, interaction, self._pair, first=self._letter == "A")
                await whisper(interaction, sentences.voted(self._letter))
            except (Refusal, TroupeError) as error:  # anything else is a bug: discord.py logs it, and Discord tells who pressed
                await excuse(interaction, error)

    return VoteButton


def reveal_button(desk: Desk) -> Any:
    """The class of the button that ends a comparison, for `discord.Client.add_dynamic_items`."""

    class RevealButton(discord.ui.DynamicItem[Button], template=rf"troupe:reveal:{_PAIR}:(?P<asker>\d{{1,20}})"):
        def __init__(self, pair: Pair, asker: int) -> None:
            style = discord.ButtonStyle.secondary
            super().__init__(discord.ui.Button(label=sentences.REVEAL, style=style, custom_id=f"troupe:reveal:{pair}:{asker}"))
            self._pair, self._asker = pair, asker

        @classmethod
        async def from_custom_id(cls, _interaction: Any, _item: Any, found: re.Match[str], /) -> Self:
            return cls(Pair.read(found), int(found["asker"]))

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            try:
                await _reveal(desk, interaction, self._pair, self._asker)
            except (Refusal, TroupeError) as error:
                await excuse(interaction, error)

    return RevealButton


async def _vote(desk: Desk, interaction: discord.Interaction[Any], pair: Pair, *, first: bool) -> None:
    message = interaction.message
    if message is None:
        raise Refusal(sentences.UNKNOWN_ANSWER)
    if await desk.store.people.is_out(interaction.user.id):
        raise Refusal(sentences.OUT_CANNOT_VOTE)
    chosen, other = pair.names if first else pair.names[::-1]
    await desk.store.votes.put(Vote(message.id, interaction.user.id, guild_of(interaction), chosen, other, desk.clock()))


async def _reveal(desk: Desk, interaction: discord.Interaction[Any], pair: Pair, asker: int) -> None:
    message = interaction.message
    if message is None:
        raise Refusal(sentences.UNKNOWN_ANSWER)
    if interaction.user.id != asker and not may_manage(interaction):
        raise Refusal(sentences.NOT_YOUR_COMPARISON)
    votes = await desk.store.votes.on(message.id)
    ending = sentences.revealed([(name, votes.get(name, 0)) for name in pair.names])
    await interaction.response.edit_message(
        content=f"{message.content}\n\n{ending}", view=None, allowed_mentions=discord.AllowedMentions.none(), suppress_embeds=True
    )


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1].rstrip()}…"
