"""The whole Discord in one hand: what tests do to it, and where they look."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.clients.discord_bot.fake_discord.faults import Fault, Hold
from tests.clients.discord_bot.fake_discord.gateway import Gateway
from tests.clients.discord_bot.fake_discord.interactions import ADMIN, Asked, Interactions
from tests.clients.discord_bot.fake_discord.rest import Rest
from tests.clients.discord_bot.fake_discord.world import ALICE, APPLICATION, BOT, LOUNGE, World, member, user

TOKEN = "a-bot-token"
WAIT_S = 20
Json = dict[str, Any]


class FakeDiscord:
    """One guild with two channels and a direct channel, until a test adds more. People write, react, use commands; connections break."""

    def __init__(self) -> None:
        self.world = World()
        self.interactions = Interactions(self.world)
        self.rest = Rest(self.world, self.interactions, TOKEN)
        self.gateway = Gateway(TOKEN, self._greeting, self._guilds)
        self._changed = asyncio.Event()

    # --- what the bot did -------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.rest.url

    @property
    def sent(self) -> list[Json]:
        """The bodies that the bot posted into channels, refused and repeated ones too, each with its `channel_id`."""
        return self.rest.sent

    @property
    def typed_in(self) -> list[int]:
        return self.rest.typed_in

    @property
    def calls(self) -> list[tuple[str, str, int, Any]]:
        """Every call: method, path, status, body."""
        return self.rest.calls

    def spoken(self, channel: int | None = None) -> list[Json]:
        """The bot's messages that stand in the channel."""
        return self.world.spoken(channel)

    async def answers(self, number: int) -> list[Json]:
        """Everything sent, once it is at least `number` messages."""
        await self.until(lambda: len(self.sent) >= number)
        return self.sent

    async def said(self, number: int, channel: int | None = None) -> list[Json]:
        """The bot's messages, once there are at least `number`."""
        await self.until(lambda: len(self.spoken(channel)) >= number)
        return self.spoken(channel)

    async def until(self, condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
        """Until a call of the bot's makes it true."""
        async with asyncio.timeout(wait_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def online(self, times: int = 1) -> None:
        """Until the bot has identified itself so often."""
        async with asyncio.timeout(WAIT_S):
            await self.gateway.until(lambda: len(self.gateway.identified) >= times)

    # --- what people do ---------------------------------------------------------------------------------------------

    async def say(self, text: str, *, who: int = ALICE, channel: int = LOUNGE, **more: Any) -> Json:
        """Write a message and tell the bot of it."""
        message = self.write(text, who=who, channel=channel, **more)
        await self.tell(message)
        return message

    def write(self, text: str, *, who: int = ALICE, channel: int = LOUNGE, reply_to: Json | None = None, **more: Any) -> Json:
        """Put a message into a channel without an event, as if it had been there before the bot came."""
        return self.world.write(text, who, channel, reply_to, **more)

    async def tell(self, message: Json) -> None:
        """Deliver a message event; a second time for the same message if asked twice."""
        about = message if message.get("guild_id") is None else message | {"member": member(int(message["author"]["id"]))}
        await self._tell("MESSAGE_CREATE", about)

    async def edit(self, message: Json, text: str) -> None:
        """Its author changes a message."""
        message |= {"content": text, "edited_timestamp": message["timestamp"]}
        await self._tell("MESSAGE_UPDATE", message)

    def delete(self, gone: Json) -> None:
        """Delete a message without an event; replies to it now refer to nothing."""
        self.world.delete(gone)

    async def take_back(self, gone: Json) -> None:
        """Delete a message, and tell the bot."""
        self.world.delete(gone)
        await self._tell("MESSAGE_DELETE", {key: gone[key] for key in ("id", "channel_id", "guild_id") if key in gone})

    async def react(self, message: Json, emoji: str = "👍", *, who: int = ALICE, removed: bool = False) -> None:
        """Somebody reacts to a message, or takes the reaction back."""
        about: Json = {"user_id": str(who), "channel_id": message["channel_id"], "message_id": message["id"], "type": 0, "burst": False}
        about |= {"emoji": {"id": None, "name": emoji}, "guild_id": message.get("guild_id")}
        if not removed:
            about |= {"member": member(who) | {"user": user(who)}, "message_author_id": message["author"]["id"]}
        await self._tell("MESSAGE_REACTION_REMOVE" if removed else "MESSAGE_REACTION_ADD", about)

    async def types(self, *, who: int = ALICE, channel: int = LOUNGE) -> None:
        """Somebody begins to type."""
        typing: Json = {"channel_id": str(channel), "user_id": str(who), "timestamp": 1_795_000_000}
        guild = self.world.places[channel].guild
        await self._tell("TYPING_START", typing if guild is None else typing | {"guild_id": str(guild)})

    async def open_thread(self, name: str = "a thread", *, channel: int = LOUNGE, starter: Json | None = None) -> int:
        """A thread in a channel, perhaps at a message of it. Returns its id, which is a channel like any other."""
        thread = self.world.open_thread(name, channel, starter)
        await self._tell("THREAD_CREATE", thread.about() | {"newly_created": True})
        return thread.id

    async def deny(self, rights: int, *, channel: int = LOUNGE) -> None:
        """Nobody has these rights in a channel any more, and in no thread of it."""
        self.world.places[channel].denied = rights
        await self._tell("CHANNEL_UPDATE", self.world.places[channel].about())

    async def invite(self, guild: int, name: str, channels: Mapping[int, str]) -> None:
        """The bot comes to another guild. Before it is online: one more that it finds itself in."""
        self.world.add_guild(guild, name, channels)
        await self.gateway.tell("GUILD_CREATE", self.world.guild_about(guild), guild)

    async def command(self, path: str, *, who: int = ALICE, channel: int = LOUNGE, permissions: int = ADMIN, **options: Any) -> Asked:
        """Somebody uses a command, `persona` or `troupe link`, and reads its answer in what comes back."""
        return await self._ask(self.interactions.command(path, options, who=who, channel=channel, permissions=permissions))

    async def menu(self, name: str, message: Json, *, who: int = ALICE, permissions: int = ADMIN) -> Asked:
        """Somebody uses a command of a message's own menu."""
        return await self._ask(self.interactions.menu(name, message, who=who, permissions=permissions))

    async def choices(self, path: str, option: str, typed: str = "", *, who: int = ALICE, channel: int = LOUNGE) -> list[str]:
        """What is offered while somebody types an option."""
        asked = await self._ask(self.interactions.choices(path, option, typed, who=who, channel=channel, permissions=ADMIN))
        await asked.acknowledged()
        return [choice["name"] for choice in (asked.callback or {})["data"]["choices"]]

    async def submit(
        self, form: Asked, values: Mapping[str, str], *, who: int = ALICE, channel: int = LOUNGE, permissions: int = ADMIN
    ) -> Asked:
        """Fill in the form that came as an answer; fields by custom id or label."""
        await form.acknowledged()
        return await self._ask(self.interactions.submit(form, values, who=who, channel=channel, permissions=permissions))

    async def press(self, message: Json, label: str, *, who: int = ALICE, channel: int = LOUNGE, permissions: int = 0) -> Asked:
        """Press a button under a message."""
        return await self._ask(self.interactions.press(message, label, who=who, channel=channel, permissions=permissions))

    async def _ask(self, asked: Asked) -> Asked:
        await self._tell("INTERACTION_CREATE", asked.body)
        return asked

    # --- what goes wrong --------------------------------------------------------------------------------------------

    def fails(self, status: int, **how: Any) -> Fault:
        """The next call that fits (`method`, `path`: patterns of the whole) is answered so; see `Fault`."""
        return self.goes_wrong(Fault(status, **how))

    def goes_wrong(self, fault: Fault) -> Fault:
        self.rest.faults.append(fault)
        return fault

    def holds(self, method: str, path: str, *, stored: bool = False) -> Hold:
        """The next call that fits stands still."""
        hold = Hold(method, path, stored)
        self.rest.holds.append(hold)
        return hold

    def heals(self) -> None:
        """Nothing goes wrong any more."""
        self.rest.faults.clear()

    def _switched(self, name: str, on: bool) -> None:
        self.rest.faults = [fault for fault in self.rest.faults if fault is not _REFUSALS[name]]
        if on:
            self.rest.faults.append(_REFUSALS[name])

    @property
    def history_refused(self) -> bool:
        """The bot may not read what was said."""
        return _REFUSALS["history"] in self.rest.faults

    @history_refused.setter
    def history_refused(self, on: bool) -> None:
        self._switched("history", on)

    @property
    def send_refused(self) -> bool:
        """The bot may not speak."""
        return _REFUSALS["send"] in self.rest.faults

    @send_refused.setter
    def send_refused(self, on: bool) -> None:
        self._switched("send", on)

    # --- what the bot sees ------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._noticed, self.rest.treat])
        app.add_routes([*self.rest.routes(), web.get("/gw/", self.gateway.serve)])
        return app

    @web.middleware
    async def _noticed(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        try:
            return await handler(request)
        finally:
            self._changed.set()

    def _greeting(self) -> Json:
        resume = self.url.replace("http", "ws") + "/gw/"
        return {"v": 10, "user": user(BOT), "resume_gateway_url": resume, "application": {"id": str(APPLICATION), "flags": 1 << 19}}

    def _guilds(self, shard: tuple[int, int]) -> list[Json]:
        number, count = shard
        return [self.world.guild_about(guild) for guild in self.world.guilds if (guild >> 22) % count == number]

    async def _tell(self, event: str, data: Json) -> None:
        channel = data.get("channel_id")
        place = self.world.places.get(int(channel)) if channel else None
        guild = data.get("guild_id") or (place.guild if place else None)
        await self.gateway.tell(event, data, int(guild) if guild else None)
        self._changed.set()


_REFUSALS = {
    "history": Fault(403, "GET", r"/channels/\d+/messages", times=None, body={"code": 50001, "message": "Missing Access"}),
    "send": Fault(403, "POST", r"/channels/\d+/messages", times=None, body={"code": 50013, "message": "Missing Permissions"}),
}


@asynccontextmanager
async def discord_running() -> AsyncIterator[FakeDiscord]:
    """A fake Discord on a free port, with discord.py pointed at it for as long as it runs."""
    fake = FakeDiscord()
    runner = web.AppRunner(fake.app(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        fake.rest.url = f"http://{host}:{port}"
        with pointed_at(fake.url):
            yield fake
    finally:
        await runner.cleanup()


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """discord.py's addresses are class attributes and no constructor takes them; they are put back afterwards."""
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url.replace("http", "ws")) / "gw/"
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before
