"""Whom the bot speaks as in each guild, and with which key.

The guild of a message is the only thing that decides it. No message, no command and no setting of one guild leads to another one's key.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from clients.api import Troupe
from clients.discord_bot.errors import LinkRefused, StateBroken
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.sealing import Sealer
from clients.discord_bot.store.facts import PINNED
from clients.discord_bot.store.links import LinkRow
from clients.discord_bot.store.store import Store
from clients.errors import BadKey, TroupeError

log = logging.getLogger(__name__)

BASE = "base"
LONGEST_KEY = 200
LONGEST_ANSWER_S = 3_600.0
"""No question waits for its answer as long, however often it is tried."""

Connect = Callable[[str], Troupe]
"""A connection to the gateway with a key. Raises BadKey for what no key is."""


@dataclass(frozen=True)
class Voice:
    """What one guild's bot speaks as. `model`: what to ask for now; `troupe`: the connection, with that guild's key."""

    guild: int
    community: str
    model: str
    troupe: Troupe = field(repr=False)


@dataclass(frozen=True)
class OwnVoice:
    """The one that the bot's settings name, for the simple case of one bot and one guild. `guild`: the one that it is for, if they say."""

    model: str
    key: str = field(repr=False)
    guild: int | None = None

    @property
    def community(self) -> str:
        return self.model.partition("@")[0]


class Links:
    """`close` ends the connections. Methods raise StateBroken."""

    def __init__(
        self, store: Store, sealer: Sealer, connect: Connect, *, own: OwnVoice | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._connect = connect
        self._own = own
        self._clock = clock
        self._open: dict[int, tuple[str, Troupe]] = {}
        self._retired: list[tuple[float, Troupe]] = []
        self._own_guild: int | None = None

    async def close(self) -> None:
        held, self._open = self._open, {}
        retired, self._retired = self._retired, []
        for _, troupe in (*held.values(), *retired):
            await troupe.aclose()

    async def meet(self, guilds: Collection[int]) -> None:
        """The guilds that the bot is in. Decides which one the settings' voice is for, and remembers it."""
        if self._own is None:
            return
        pinned = await self._store.facts.get(PINNED)
        self._own_guild = guild_of_settings(self._own.guild, int(pinned) if pinned else None, guilds)
        if self._own_guild is not None and self._own.guild is None:
            await self._store.facts.put(PINNED, str(self._own_guild))

    async def voice(self, guild: int) -> Voice | None:
        """None where nobody linked the guild."""
        row = await self._store.links.of(guild)
        settings = await self._store.guilds.settings(guild)
        if row is not None:
            troupe = await self._connection(guild, self._sealer.open(guild, row.sealed_key))
            return Voice(guild, row.community, _model(row.community, row.community, settings), troupe)
        if self._own is not None and guild == self._own_guild:
            model = _model(self._own.community, self._own.model, settings)
            return Voice(guild, self._own.community, model, await self._connection(guild, self._own.key))
        return None

    async def voices(self) -> list[Voice]:
        """Of all guilds that have one."""
        guilds = {row.guild for row in await self._store.links.all()} | ({self._own_guild} if self._own_guild is not None else set())
        found = []
        for guild in sorted(guilds):
            try:
                voice = await self.voice(guild)
            except StateBroken as error:  # one guild's key that does not open is not the others' business
                log.error("Server %s: %s", guild, error)
                continue
            if voice is not None:
                found.append(voice)
        return found

    async def link(self, guild: int, key: str, *, by: int, community: str | None = None) -> str:
        """The community that the guild speaks as from here on: the key's only one, or the one that is named. The key is tried first.

        Raises LinkRefused with a sentence for who tried, and then everything is as it was.
        """
        key = key.strip()
        chosen = _chosen(await self._tried(key), community.strip() if community else None)
        await self._store.links.put(LinkRow(guild, chosen, self._sealer.seal(guild, key), by, self._clock()))
        return chosen

    async def unlink(self, guild: int) -> bool:
        """Whether it was linked. The settings' own voice, if this is its guild, speaks there again."""
        removed = await self._store.links.remove(guild)
        await self._retire(guild)
        return removed

    async def sent_away(self, guild: int) -> None:
        """The bot is no longer in that guild: nothing of it is kept."""
        await self._store.guilds.forget(guild)
        await self._retire(guild)

    async def _tried(self, key: str) -> list[str]:
        """The communities that a key may talk to."""
        if len(key) > LONGEST_KEY:
            raise LinkRefused("That is no key: it begins with tr_ and has some forty characters.")
        try:
            async with self._connect(key) as troupe:
                return [model for model in await troupe.models() if model != BASE]
        except BadKey as exc:
            raise LinkRefused("The gateway does not accept this key. Ask whoever runs it for a chat key of your community.") from exc
        except TroupeError as exc:
            raise LinkRefused("The gateway cannot be asked about this key at the moment. Try again in a minute.") from exc

    async def _connection(self, guild: int, key: str) -> Troupe:
        held = self._open.get(guild)
        if held is not None and held[0] == key:
            return held[1]
        await self._retire(guild)
        troupe = self._connect(key)
        self._open[guild] = (key, troupe)
        return troupe

    async def _retire(self, guild: int) -> None:
        """Nothing new is asked over the guild's connection. It is closed once every answer that is under way over it has come."""
        now = self._clock()
        done = [each for at, each in self._retired if now - at >= LONGEST_ANSWER_S]
        self._retired = [(at, each) for at, each in self._retired if now - at < LONGEST_ANSWER_S]
        held = self._open.pop(guild, None)
        if held is not None:
            self._retired.append((now, held[1]))
        for troupe in done:
            await troupe.aclose()


def guild_of_settings(named: int | None, pinned: int | None, guilds: Collection[int]) -> int | None:
    """The guild that the settings' voice is for: the named one; else the one it was given to before; else the only one there is.

    A bot that somebody invites to a second guild goes on where it was, and says nothing in the new one. Pure.
    """
    if named is not None:
        return named
    if pinned in guilds:
        return pinned
    return next(iter(guilds)) if len(guilds) == 1 else None


def _model(community: str, usual: str, settings: GuildSettings) -> str:
    """The version that the guild chose, as long as it is one of its own community's."""
    chosen = settings.model
    return chosen if chosen is not None and chosen.partition("@")[0] == community else usual


def _chosen(known: list[str], wanted: str | None) -> str:
    if wanted:
        if wanted in known:
            return wanted
        raise LinkRefused(f"This key does not speak for {wanted[:63]!r}, or that community has no live adapter yet.")
    if len(known) == 1:
        return known[0]
    if not known:
        raise LinkRefused("This key is good, but its community has no live adapter yet. Promote one, then link again.")
    raise LinkRefused(f"This key speaks for several communities: name one of {', '.join(known[:10])}.")
