"""The bot on Discord: what happens there comes in here, and is handed to who knows what to do. Decides nothing itself.

Whether to answer, what to show the model and how to cut its answer are decided in the pure files beside this one. Whatever the model
writes, it can ping nobody: mentions are switched off for the client, on every send, and once more on the wire.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import discord
from discord.abc import Messageable

from clients.discord_bot.answering import Answering, Patience
from clients.discord_bot.asking import Asking, Question
from clients.discord_bot.attention import EARLY_S, Expecting, Why, could_matter, reason
from clients.discord_bot.channels import ChannelSettings, Mode, effective
from clients.discord_bot.commands.build import build_commands
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.errors import StateBroken
from clients.discord_bot.filter import Filter
from clients.discord_bot.heard import Heard
from clients.discord_bot.hearing import Hearing
from clients.discord_bot.identifying import Identifying
from clients.discord_bot.invitation import invitation
from clients.discord_bot.limits import Limits, Verdict
from clients.discord_bot.links import Links, Voice
from clients.discord_bot.metrics import Metrics
from clients.discord_bot.missed import Missed
from clients.discord_bot.naming import NamesKeys
from clients.discord_bot.outbox import Outbox, Place
from clients.discord_bot.permission import may_speak
from clients.discord_bot.reporting import Reporting
from clients.discord_bot.retaking import Retaking
from clients.discord_bot.sentences import MISCONFIGURED, SLOWER, UNLINKED
from clients.discord_bot.store.store import Store
from clients.discord_bot.taking_up import TakingUp
from clients.discord_bot.warming import Warming
from clients.discord_bot.wire import Wire
from clients.errors import BadSettings, TroupeError

log = logging.getLogger(__name__)

KEPT_S = 60 * 86_400.0
"""So long it is kept what was said and what people thought of it."""

SWEEP_S = 3_600.0

_INTENTS = discord.Intents(guilds=True, guild_messages=True, guild_reactions=True, guild_typing=True, message_content=True)

_ENDED = {
    4004: "Discord does not accept the bot's token any more. Set TROUPE_BOT_TOKEN to a valid one.",
    4010: "Discord does not know these shards. Set TROUPE_BOT_SHARDS and TROUPE_BOT_SHARD_IDS anew.",
    4011: "The bot is in too many servers for so few shards. Set TROUPE_BOT_SHARDS to 0, or to more.",
}


@dataclass(frozen=True)
class Manner:
    """How this bot behaves, in all guilds."""

    max_tokens: int = 200
    patience: Patience = field(default_factory=Patience)
    round_s: float = 30.0
    """Between two looks at what was left undone and what the gateway was not told."""
    shard_count: int | None = 1
    """None: as many as Discord thinks fit."""
    shard_ids: Sequence[int] | None = None
    """None: all of them."""


class Bot(discord.AutoShardedClient):
    """One Discord account, in many guilds. Log in with `run_forever`."""

    def __init__(self, store: Store, links: Links, names: NamesKeys, wire: Wire, metrics: Metrics, manner: Manner = Manner()) -> None:
        super().__init__(
            intents=_INTENTS,
            allowed_mentions=discord.AllowedMentions.none(),
            connector=wire,
            http_trace=wire.trace(),
            max_messages=None,
            shard_count=manner.shard_count,
            shard_ids=None if manner.shard_ids is None else list(manner.shard_ids),  # type: ignore[arg-type] # None: all of them
        )
        self.store = store
        self.links = links
        self.hearing = Hearing(lambda: self._me)
        self.warming = Warming()
        self.metrics = metrics
        self.reporting = Reporting(store, links, metrics)
        filter = Filter()
        asking = Asking(store, self.hearing, filter, names, self.reporting.plan, max_tokens=manner.max_tokens)
        outbox = Outbox(store)
        self.answering = Answering(store, asking, outbox, self.warming, metrics, self._silenced, patience=manner.patience)
        self.retaking = Retaking(store, links, self.hearing, asking, outbox)
        self._taking_up = TakingUp(store, links, self.hearing, self.answering, self._channel)
        self._missed = Missed(store.facts, self.hearing)
        self._limits = Limits()
        desk = Desk(store, links, self.retaking, asking, self._limits, filter, manner.max_tokens)
        self.commands = build_commands(self, desk)
        self._expecting = Expecting()
        self._identifying = Identifying()
        self._round_s = manner.round_s
        self._shards_here: set[int] = set()
        self._met = asyncio.Event()
        self._errands: set[asyncio.Task[None]] = set()
        self._clock_is_wrong = False

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
        except discord.ConnectionClosed as exc:
            raise TroupeError(_ended(exc.code)) from exc
        except (discord.HTTPException, OSError) as exc:  # aiohttp's connection errors are OSErrors
            raise TroupeError(f"Discord cannot be reached ({type(exc).__name__}). Try again later.") from exc

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        await super().before_identify_hook(shard_id, initial=initial)
        await asyncio.sleep(self._identifying.pause(shard_id or 0, time.monotonic()))
        self._identifying.begun(shard_id or 0, time.monotonic())

    async def setup_hook(self) -> None:
        await self._missed.begin()
        self._errand(self._rounds())
        self._errand(self._publish())

    async def close(self) -> None:
        """What is under way stops where it is; the next start goes on with it."""
        for task in self._errands:
            task.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self.answering.close()
        await self.warming.close()
        await super().close()

    # --- what happens on Discord --------------------------------------------------------------------------------------

    async def on_shard_connect(self, shard_id: int) -> None:
        """With the last shard the bot knows which guilds it is in."""
        self._shards_here.add(shard_id)
        if self._shards_here >= set(self._connection.shard_ids):
            await self._meet()
            log.info("Here as %s, in %s servers.", self.user, len(self.guilds))
            if not self.guilds and self.application_id is not None:
                log.info("Whoever manages a server invites me at %s", invitation(self.application_id))

    async def on_shard_ready(self, shard_id: int) -> None:
        """A new session: of what was said before it only the channels know."""
        for message in await self._missed.look(shard_id, [guild for guild in self.guilds if guild.shard_id == shard_id]):
            self.dispatch("message", message)

    async def on_shard_resumed(self, shard_id: int) -> None:
        self._missed.resumed(shard_id)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        self._missed.cut_off(shard_id)

    async def on_guild_join(self, _guild: discord.Guild) -> None:
        await self._meet()

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self.links.sent_away(guild.id)
        await self._meet()

    async def on_raw_typing(self, typing: discord.RawTypingEvent) -> None:
        """Where people were just talking with the bot, the next line may be for it: the engine wakes while it is written."""
        guild = typing.guild_id
        if guild is None or typing.user_id == self._me.id:
            return
        if self._expecting.should_warm(guild, typing.channel_id, time.monotonic()):
            voice, _ = await self._voice(guild)
            if voice is not None:
                self.warming.warm(voice)

    async def on_message(self, message: discord.Message) -> None:
        """Answer `message` if it is for the bot; once, even if Discord delivers it twice."""
        heard = self.hearing.heard(message)
        if not could_matter(heard):
            return
        self._compare_clocks(heard)
        await self._met.wait()
        try:
            why = await self._reason(message, heard)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as exc:
            log.warning("Message %s stays unanswered, as its channel cannot be looked up: %s", heard.id, exc)
            return
        if why is None or not may_speak(message.channel) or await self.store.people.is_out(heard.author_id):
            return
        voice, without = await self._voice(heard.guild_id)
        if voice is None and why is not Why.ADDRESSED:
            return
        async with self.answering.taken(heard) as mine:
            if mine:
                await self._respond(message, heard, why, voice, without)

    async def _respond(self, message: discord.Message, heard: Heard, why: Why, voice: Voice | None, without: str) -> None:
        """To a message that the bot has taken upon itself. `without`: what to say without a voice."""
        place = Place(message.channel, heard.channel_id, heard.id)
        verdict = self._limits.asks(heard.author_id, heard.channel_id, time.monotonic())
        if verdict is Verdict.IGNORE or (verdict is Verdict.SAY_SLOWER and why is Why.CHANCE):
            await self.store.handled.drop(heard.id)
        elif verdict is Verdict.SAY_SLOWER:
            await self._tried(heard.id, self.answering.say(place, heard, SLOWER))
        elif voice is None:
            await self._tried(heard.id, self.answering.say(place, heard, without))
        else:
            self._expecting.addressed(heard.channel_id, time.monotonic())
            question = Question(message, heard, voice, await self.store.guilds.settings(heard.guild_id))
            await self._tried(heard.id, self.answering.answer(question))

    async def on_raw_message_delete(self, gone: discord.RawMessageDeleteEvent) -> None:
        await self.answering.deleted(gone.message_id)

    async def on_raw_bulk_message_delete(self, gone: discord.RawBulkMessageDeleteEvent) -> None:
        for message in gone.message_ids:
            await self.answering.deleted(message)

    async def on_raw_reaction_add(self, reaction: discord.RawReactionActionEvent) -> None:
        is_program = reaction.member is not None and reaction.member.bot
        if reaction.guild_id is None or is_program or reaction.user_id == self._me.id:
            return
        own = reaction.message_author_id == self._me.id
        if await self.store.reactions.add(reaction.message_id, _said(reaction.emoji), reaction.user_id, time.time(), own=own):
            self.metrics.reacted()

    async def on_raw_reaction_remove(self, reaction: discord.RawReactionActionEvent) -> None:
        await self.store.reactions.remove(reaction.message_id, _said(reaction.emoji), reaction.user_id, time.time())

    async def on_raw_reaction_clear(self, cleared: discord.RawReactionClearEvent) -> None:
        await self.store.reactions.clear(cleared.message_id, time.time())

    async def on_raw_reaction_clear_emoji(self, cleared: discord.RawReactionClearEmojiEvent) -> None:
        await self.store.reactions.clear(cleared.message_id, time.time(), emoji=_said(cleared.emoji))

    # --- errands ------------------------------------------------------------------------------------------------------

    async def _rounds(self) -> None:
        """Again and again: take up what was left undone, and tell the gateway what it does not know."""
        await self._met.wait()
        swept = float("-inf")
        while True:
            try:
                for handled in await self._taking_up.round():
                    self._errand(self._tried(handled.message, self._taking_up.take_up(handled)))
                await self._missed.round(self._connection.shard_ids)
                await self.reporting.round()
                if time.monotonic() - swept >= SWEEP_S:
                    await self.store.sweep(time.time() - KEPT_S)
                    swept = time.monotonic()
            except TroupeError as error:
                log.warning("%s", error)
            except Exception:  # a bug in one round must not end all of them
                log.exception("A round failed.")
            await asyncio.sleep(self._round_s)

    async def _publish(self) -> None:
        """Tell Discord of the commands, where it does not know them. Without them the bot talks all the same."""
        try:
            await self.commands.publish(self.store.facts)
        except (discord.HTTPException, aiohttp.ClientError, OSError, TroupeError) as exc:
            log.warning("Discord could not be told of the commands, which the next start tries again: %s", exc)

    async def _tried(self, message: int, work: Coroutine[Any, Any, None]) -> None:
        """`work` for a message. Where Discord or the wire fails it stays for the next round."""
        try:
            await work
        except (discord.HTTPException, aiohttp.ClientError, OSError, TroupeError) as exc:
            log.warning("Message %s has to wait: %s", message, exc)

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    # --- what the bot knows of itself ---------------------------------------------------------------------------------

    async def channel_settings(self, channel: int, parent: int | None) -> ChannelSettings:
        """What holds in a channel or thread. Raises StateBroken."""
        above = await self.store.channels.settings(parent) if parent is not None else None
        return effective(await self.store.channels.settings(channel), above)

    async def _voice(self, guild: int) -> tuple[Voice | None, str]:
        """A guild's voice; or none, and what to say then."""
        try:
            return await self.links.voice(guild), UNLINKED
        except StateBroken as error:
            log.error("Server %s: %s", guild, error)
            return None, MISCONFIGURED

    def _compare_clocks(self, heard: Heard) -> None:
        """A message from the future is answered by nobody: say why, once."""
        behind = heard.at - time.time()
        if behind > EARLY_S and not self._clock_is_wrong:
            self._clock_is_wrong = True
            log.error("This machine's clock is %.0f seconds behind Discord's, so that nobody is answered: set it.", behind)

    async def _silenced(self, question: Question) -> bool:
        """Whether its channel was told to be silent, or its server lost its voice, while an answer was made."""
        heard = question.heard
        settings = await self.channel_settings(heard.channel_id, await self._parent(question.message.channel))
        return settings.is_silent(time.time()) or await self.links.voice(heard.guild_id) is None

    async def _reason(self, message: discord.Message, heard: Heard) -> Why | None:
        settings = await self.channel_settings(heard.channel_id, await self._parent(message.channel))
        spoke_at = await self.store.answers.spoke_at(heard.channel_id) if settings.mode is Mode.LIVELY else None
        return reason(heard, settings, now=time.time(), spoke_at=spoke_at)

    async def _parent(self, channel: Messageable) -> int | None:
        """The channel that a thread belongs to. A place that is not known yet is looked up, as it may be a thread of a silent channel."""
        place: object = channel
        if isinstance(channel, discord.PartialMessageable):
            place = await self.fetch_channel(channel.id)
        return place.parent_id if isinstance(place, discord.Thread) else None

    async def _meet(self) -> None:
        await self.links.meet([guild.id for guild in self.guilds])
        self.metrics.guilds(len(self.guilds))
        self._met.set()

    def _channel(self, channel: int, guild: int) -> Messageable:
        known = self.get_channel(channel)
        return known if isinstance(known, Messageable) else self.get_partial_messageable(channel, guild_id=guild)

    @property
    def _me(self) -> discord.ClientUser:
        if self.user is None:
            raise RuntimeError("A message came before the login.")
        return self.user


def _ended(code: int) -> str:
    """Why Discord ended the connection for good."""
    return _ENDED.get(code, f"Discord ended the connection for good (code {code}). Install a younger Troupe, or ask whoever runs it.")


def _said(emoji: discord.PartialEmoji) -> str:
    """A character, or a server's own emoji by its name."""
    return f":{emoji.name}:" if emoji.is_custom_emoji() else str(emoji)
