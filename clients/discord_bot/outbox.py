"""Sending what was kept to be sent: each part once, however often the bot is killed on the way.

A part has a nonce, with which Discord lets one message through in the minutes in which a send is tried again. After a longer while, what
stands in the channel says which parts arrived (`arrived`, pure).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import discord
from discord.abc import Messageable

from clients.discord_bot.permission import may_read
from clients.discord_bot.store.answers import Part
from clients.discord_bot.store.store import Store
from clients.discord_bot.typing_shown import Sign

log = logging.getLogger(__name__)

_HARMLESS: dict[str, Any] = {"mention_author": False, "allowed_mentions": discord.AllowedMentions.none(), "suppress_embeds": True}
_NEVER_TAKEN = frozenset({50006, 50035, 200000, 240000})
"""Nothing in it, an invalid form, blocked by the server's own rules, blocked for a link."""
_UNREAD = 160002
"""A reply is for who may read what was said."""
LOOK_AHEAD = 50
"""Messages after the question in which parts that arrived are looked for."""
_PER_SECOND = 25.0
"""Characters that a quick typist writes."""
LONGEST_PAUSE_S = 6.0


class Unwanted(Exception):
    """Discord will not take it, today or tomorrow: the message is gone, or its channel, or the bot may not speak there."""


@dataclass(frozen=True)
class Place:
    """Where an answer goes: as a reply to `message`, which has to be there still; on its own where the bot may read nothing."""

    channel: Messageable
    channel_id: int
    message: int

    @property
    def reference(self) -> discord.MessageReference:
        return discord.MessageReference(message_id=self.message, channel_id=self.channel_id, fail_if_not_exists=True)


@dataclass(frozen=True)
class Standing:
    """A message of the bot's own, below a question."""

    id: int
    text: str
    reply_to: int | None


class Outbox:
    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    async def deliver(
        self,
        place: Place,
        parts: Sequence[Part],
        sign: Sign | None = None,
        *,
        pauses: bool = False,
        shown: discord.Message | None = None,
    ) -> None:
        """Send what is not sent yet. `shown`: the message that the first part grew in. Raises Unwanted, or what Discord and the wire raise
        where it may work later."""
        for part in parts:
            if part.sent is not None:
                continue
            if part.number and pauses:
                await asyncio.sleep(pause(part.text))
            message = shown if part.number == 0 else None
            message = message or await self._send(place, part.text, part.nonce, reply=part.number == 0)
            if plain(message.content) != plain(part.text):  # it grew, or Discord had one with this nonce already
                await self.change(message, part.text)
            await self._store.answers.sent(part, message.id, self._clock())
            if sign is not None and part is not parts[-1]:
                sign.again()

    async def show(self, place: Place, text: str) -> discord.Message:
        """Say the beginning of an answer that is being made. Its message becomes the first part."""
        message = await self._send(place, text, Part(place.message, 0, 0, text).nonce, reply=True)
        await self._store.handled.showing(place.message, message.id)
        return message

    async def change(self, message: discord.Message, text: str) -> None:
        """Raises as `deliver`."""
        try:
            await message.edit(content=text, allowed_mentions=discord.AllowedMentions.none(), suppress=True)
        except discord.HTTPException as exc:
            raise _translated(exc) from exc

    async def notice(self, place: Place, text: str) -> None:
        """Say once that the answer will take a while."""
        message = await self._send(place, text, f"{place.message:x}-w", reply=True)
        await self._store.handled.noticed(place.message, message.id)

    async def _send(self, place: Place, text: str, nonce: str, *, reply: bool) -> discord.Message:
        reply = reply and may_read(place.channel)
        try:
            how = _HARMLESS | ({"reference": place.reference} if reply else {})
            message: discord.Message = await place.channel.send(text, nonce=nonce, **how)
        except discord.HTTPException as exc:
            if reply and exc.code == _UNREAD:
                return await self._send(place, text, nonce, reply=False)
            raise _translated(exc) from exc
        return message


def _translated(exc: discord.HTTPException) -> Exception:
    return Unwanted(str(exc)) if is_final(exc.status, exc.code) else exc


def is_final(status: int, code: int) -> bool:
    """Whether the same send can only fail again. A reply to a message that is gone is an invalid form (50035)."""
    return status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND) or (status == HTTPStatus.BAD_REQUEST and code in _NEVER_TAKEN)


def arrived(question: int, parts: Sequence[Part], standing: Sequence[Standing]) -> dict[int, int]:
    """Part number → message, of those parts that are among the bot's own messages below the question, `standing` in their order.

    The first part is a reply to the question; the others follow it, word by word.
    """
    found: dict[int, int] = {part.number: part.sent for part in parts if part.sent is not None}
    after = max(found.values(), default=0)
    for part in parts:
        if part.sent is not None:
            continue
        match = (
            each
            for each in standing
            if each.id > after and plain(each.text) == plain(part.text) and (part.number > 0 or each.reply_to == question)
        )
        there = next(match, None)
        if there is None:
            break
        found[part.number] = after = there.id
    return found


def plain(text: str) -> str:
    """As it was before the wire took the sting out of it (`outgoing`)."""
    return text.replace("＠", "@").strip()


def pause(text: str) -> float:
    """Seconds that a person would take to write this."""
    return min(LONGEST_PAUSE_S, len(text) / _PER_SECOND)
