"""The bot on Discord: hears messages, asks the gateway, sends the answer. All of Discord's I/O and nothing else is here.

Whether to answer, what to show the model and how to cut its answer are decided in the pure files beside this one. Whatever the
model writes, it can ping nobody: mentions are switched off for the client and again on every send.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import discord

from adapters.conversation import CONTEXT_TURNS, to_chat
from clients.api import Troupe
from clients.discord_bot.attention import Expecting, Seen, should_answer
from clients.discord_bot.context import conversation
from clients.discord_bot.heard import Heard, readable
from clients.discord_bot.sentences import SPEECHLESS, apology
from clients.discord_bot.splitting import split
from clients.errors import BadSettings, TroupeError

log = logging.getLogger(__name__)

LOOK_BACK = 4 * CONTEXT_TURNS
"""Messages fetched for context: some are other bots' or hold only pictures, and do not count."""

_CHATTER = (discord.MessageType.default, discord.MessageType.reply)


class Bot(discord.Client):
    """One Discord account that speaks as `model`. Log in with `run_forever`."""

    def __init__(self, troupe: Troupe, model: str, *, max_tokens: int) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True, guild_messages=True, guild_typing=True, message_content=True),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._troupe = troupe
        self._model = model
        self._max_tokens = max_tokens
        self._seen = Seen()
        self._expecting = Expecting()
        self._warming: set[asyncio.Task[None]] = set()

    async def run_forever(self, token: str) -> None:
        """Until closed. Raises TroupeError with one sentence if Discord does not let the bot in."""
        try:
            await self.start(token)
        except discord.LoginFailure as exc:
            raise BadSettings("Discord does not accept the bot's token. Set TROUPE_BOT_TOKEN to a valid one.") from exc
        except discord.PrivilegedIntentsRequired as exc:
            raise BadSettings(
                "The bot may not read messages. In Discord's developer portal, your application, Bot, switch on the Message Content Intent."
            ) from exc
        except (discord.HTTPException, OSError) as exc:  # aiohttp's connection errors are OSErrors
            raise TroupeError(f"Discord cannot be reached ({type(exc).__name__}). Try again later.") from exc

    async def close(self) -> None:
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        await super().close()

    async def on_ready(self) -> None:
        log.info("Here as %s, speaking as %s.", self.user, self._model)

    async def on_raw_typing(self, typing: discord.RawTypingEvent) -> None:
        """Where people were just talking with the bot, the next line may be for it: the engine wakes while it is written."""
        if (
            typing.guild_id is not None
            and typing.user_id != self._me.id
            and self._expecting.should_warm(typing.channel_id, time.monotonic())
        ):
            self._warm()

    async def on_message(self, message: discord.Message) -> None:
        """Answer `message` if it is for the bot; once, even if Discord delivers it twice."""
        heard = self._heard(message)
        if not should_answer(heard) or not self._seen.first_time(heard.id):
            return
        self._warm()  # it wakes while the channel's history is fetched
        self._expecting.addressed(heard.channel_id, time.monotonic())
        try:
            async with message.channel.typing():
                answer = await self._answer(message, heard)
            await self._send(message, answer)
        except discord.HTTPException as exc:  # may not speak there, or the channel is gone: nobody to tell but the log
            log.warning("Message %s stays unanswered: %s", heard.id, exc)

    async def _answer(self, message: discord.Message, asked: Heard) -> str:
        recent = await self._recent(message)
        replied_to = await self._replied_to(message, asked, {heard.id: heard for heard in recent})
        turns = conversation(asked, replied_to, recent, my_name=self._me.display_name)
        try:
            reply = await self._troupe.complete_chat(self._model, to_chat(turns), max_tokens=self._max_tokens)
        except TroupeError as error:
            log.warning("No answer to message %s: %s", asked.id, error)
            return apology(error)
        return reply.text.strip() or SPEECHLESS

    def _warm(self) -> None:
        """Tell the gateway that a question comes; nothing waits for it, and nothing depends on it."""
        task = asyncio.create_task(self._told())
        self._warming.add(task)
        task.add_done_callback(self._warming.discard)

    async def _told(self) -> None:
        try:
            await self._troupe.warm(self._model)
        except TroupeError as error:
            log.info("%s could not be warmed: %s", self._model, error)

    async def _recent(self, message: discord.Message) -> list[Heard]:
        """The messages before this one in its channel; none where the bot may not read them."""
        try:
            return [self._heard(before) async for before in message.channel.history(limit=LOOK_BACK, before=message)]
        except discord.Forbidden:
            return []

    async def _replied_to(self, message: discord.Message, asked: Heard, known: dict[int, Heard]) -> list[Heard]:
        """The chain of replies that leads here, the nearest first, as far as it can be followed and is of use."""
        followed: list[Heard] = []
        link = asked.reply_to
        while link is not None and len(followed) < CONTEXT_TURNS:
            try:
                heard = known.get(link) or self._heard(await message.channel.fetch_message(link))
            except (discord.NotFound, discord.Forbidden):  # deleted, or not for the bot to read
                break
            followed.append(heard)
            link = heard.reply_to
        return followed

    async def _send(self, message: discord.Message, answer: str) -> None:
        reply: dict[str, Any] = {"reference": message.to_reference(fail_if_not_exists=False)}
        for number, part in enumerate(split(answer)):
            await message.channel.send(
                part,
                **(reply if number == 0 else {}),
                nonce=f"{message.id}-{number}",  # Discord drops a repetition, should a send be tried twice
                mention_author=False,
                allowed_mentions=discord.AllowedMentions.none(),
                suppress_embeds=True,
            )

    @property
    def _me(self) -> discord.ClientUser:
        if self.user is None:
            raise RuntimeError("A message came before the login.")
        return self.user

    def _heard(self, message: discord.Message) -> Heard:
        author = message.author
        reply_to, replies_to_me = _reply(message, self._me.id)
        return Heard(
            id=message.id,
            channel_id=message.channel.id,
            author=author.display_name,
            text=readable(message.content, me=self._me.id, names=dict(_names(message))),
            is_self=author.id == self._me.id,
            is_program=(author.bot and author.id != self._me.id) or bool(message.webhook_id) or message.type not in _CHATTER,
            in_server=message.guild is not None,
            addresses_me=self._me.id in message.raw_mentions or replies_to_me,
            reply_to=reply_to,
        )


def _reply(message: discord.Message, me: int) -> tuple[int | None, bool]:
    """The message of the same channel that this one replies to, and whether that one is the bot's. A forward is no reply."""
    reference = message.reference
    if message.type is not discord.MessageType.reply or reference is None or reference.channel_id != message.channel.id:
        return None, False
    original = reference.resolved
    return reference.message_id, isinstance(original, discord.Message) and original.author.id == me


def _names(message: discord.Message) -> Iterator[tuple[int, str]]:
    for mentioned in message.mentions:
        yield mentioned.id, mentioned.display_name
    for named in (*message.role_mentions, *message.channel_mentions):
        yield named.id, named.name
