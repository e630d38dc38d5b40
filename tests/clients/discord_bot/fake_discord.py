"""A small Discord: enough REST and gateway for the real discord.py to log in, hear messages and answer them.

What it must look like was read off discord.py 2.7.1: REST bodies have exactly the type `application/json`, READY carries an
application and the address to resume at. It keeps every message of every channel and records what the bot sends.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import yarl
from aiohttp import WSMsgType, web
from discord.gateway import DiscordWebSocket
from discord.http import Route

TOKEN = "a-bot-token"
_SNOWFLAKE = 10**17  # discord.py takes only numbers as long as real ids for ids in a text
BOT, ALICE, BOB, OTHER_BOT = range(_SNOWFLAKE + 1, _SNOWFLAKE + 5)
GUILD, LOUNGE, ATTIC, PRIVATE = range(_SNOWFLAKE + 11, _SNOWFLAKE + 15)
WAIT_S = 20
_NAMES = {BOT: "zizou", ALICE: "Alice", BOB: "Bob", OTHER_BOT: "MusicBot"}
_HELLO, _IDENTIFY, _HEARTBEAT, _ACK, _DISPATCH = 10, 2, 1, 11, 0


def user(who: int) -> dict[str, Any]:
    """A Discord user object."""
    return {
        "id": str(who),
        "username": _NAMES[who].lower(),
        "global_name": _NAMES[who],
        "discriminator": "0",
        "avatar": None,
        "bot": who in (BOT, OTHER_BOT),
    }


@dataclass
class FakeDiscord:
    """One server with two channels, a direct-message channel, and a record of what the bot did."""

    url: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """The bodies that the bot posted, each with its `channel_id`."""
    typed_in: list[int] = field(default_factory=list)
    history_refused: bool = False
    send_refused: bool = False
    _messages: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _socket: web.WebSocketResponse | None = None
    _online: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: Iterator[int] = field(default_factory=lambda: count(_SNOWFLAKE + 5_000))
    _sequence: Iterator[int] = field(default_factory=lambda: count(1))

    # --- what a test does -------------------------------------------------------------------------------------------

    async def say(self, text: str, *, who: int = ALICE, channel: int = LOUNGE, **more: Any) -> dict[str, Any]:
        """Write a message and tell the bot of it."""
        message = self.write(text, who=who, channel=channel, **more)
        await self.tell(message)
        return message

    def write(
        self, text: str, *, who: int = ALICE, channel: int = LOUNGE, reply_to: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Put a message into a channel without an event, as if it had been there before the bot came."""
        message: dict[str, Any] = {
            "id": str(next(self._ids)),
            "channel_id": str(channel),
            "author": user(who),
            "content": text,
            "timestamp": "2026-11-01T10:00:00+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [user(who) for who in _NAMES if f"<@{who}>" in text],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": 0,
        }
        if channel != PRIVATE:
            message["guild_id"] = str(GUILD)
        if reply_to:
            message |= {
                "type": 19,
                "message_reference": {"type": 0, "message_id": reply_to["id"], "channel_id": reply_to["channel_id"]},
                "referenced_message": {key: reply_to[key] for key in reply_to if key != "referenced_message"},
            }
        message |= more
        self._messages.setdefault(channel, []).append(message)
        return message

    def delete(self, gone: dict[str, Any]) -> None:
        """Delete a message; replies to it now refer to nothing."""
        written = self._messages[int(gone["channel_id"])]
        written.remove(gone)
        for message in written:
            if message.get("message_reference", {}).get("message_id") == gone["id"]:
                message["referenced_message"] = None

    async def tell(self, message: dict[str, Any]) -> None:
        """Deliver a message event; a second time for the same message if asked twice."""
        await self._dispatch("MESSAGE_CREATE", message | {"member": {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00"}})

    async def types(self, *, who: int = ALICE, channel: int = LOUNGE) -> None:
        """Somebody begins to type."""
        typing = {"channel_id": str(channel), "user_id": str(who), "timestamp": 1_795_000_000}
        await self._dispatch("TYPING_START", typing if channel == PRIVATE else typing | {"guild_id": str(GUILD)})

    async def answers(self, number: int) -> list[dict[str, Any]]:
        """Everything sent, once it is at least `number` messages."""
        async with asyncio.timeout(WAIT_S):
            while len(self.sent) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.sent

    async def online(self) -> None:
        """Until the bot has identified itself."""
        async with asyncio.timeout(WAIT_S):
            await self._online.wait()

    # --- what the bot sees ------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/v10/users/@me", self._me),
                web.get("/api/v10/oauth2/applications/@me", self._application),
                web.post("/api/v10/channels/{channel}/typing", self._typing),
                web.get("/api/v10/channels/{channel}/messages", self._history),
                web.get("/api/v10/channels/{channel}/messages/{message}", self._one),
                web.post("/api/v10/channels/{channel}/messages", self._post),
                web.get("/gw/", self._gateway),
            ]
        )
        return app

    async def _me(self, request: web.Request) -> web.Response:
        if request.headers["authorization"] != f"Bot {TOKEN}":
            return _json({"code": 0, "message": "401: Unauthorized"}, 401)
        return _json(user(BOT))

    async def _application(self, _request: web.Request) -> web.Response:
        about = {"id": "1", "name": "zizou", "description": "", "icon": None, "bot_public": True, "bot_require_code_grant": False}
        return _json(about | {"owner": user(ALICE), "verify_key": "", "flags": 0, "team": None})

    async def _typing(self, request: web.Request) -> web.Response:
        self.typed_in.append(int(request.match_info["channel"]))
        return web.Response(status=204)

    async def _history(self, request: web.Request) -> web.Response:
        if self.history_refused:
            return _json({"code": 50001, "message": "Missing Access"}, 403)
        before = int(request.query["before"])
        written = self._messages.get(int(request.match_info["channel"]), [])
        older = [message for message in written if int(message["id"]) < before]
        return _json(older[::-1][: int(request.query["limit"])])

    async def _one(self, request: web.Request) -> web.Response:
        for message in self._messages.get(int(request.match_info["channel"]), []):
            if message["id"] == request.match_info["message"]:
                return _json(message)
        return _json({"code": 10008, "message": "Unknown Message"}, 404)

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        channel = int(request.match_info["channel"])
        self.sent.append(body | {"channel_id": channel})
        self._changed.set()
        if self.send_refused:
            return _json({"code": 50013, "message": "Missing Permissions"}, 403)
        return _json(self.write(body["content"], who=BOT, channel=channel))

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        self._socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": _HELLO, "d": {"heartbeat_interval": 45_000}, "s": None, "t": None})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            match json.loads(frame.data)["op"]:
                case 2:
                    await self._welcome()
                case 1:
                    await socket.send_json({"op": _ACK})
        return socket

    async def _welcome(self) -> None:
        ready = {"v": 10, "user": user(BOT), "guilds": [{"id": str(GUILD), "unavailable": True}], "session_id": "s1"}
        resume = self.url.replace("http", "ws") + "/gw/"
        await self._dispatch("READY", ready | {"resume_gateway_url": resume, "application": {"id": "1", "flags": 0}})
        channels = [{"id": str(c), "type": 0, "name": n, "position": 0, "permission_overwrites": []} for c, n in _CHANNELS]
        guild = {"id": str(GUILD), "name": "Friends", "owner_id": str(ALICE), "member_count": 3, "roles": [], "emojis": []}
        await self._dispatch("GUILD_CREATE", guild | {"channels": channels, "members": [], "features": []} | _GUILD_REST)
        self._online.set()

    async def _dispatch(self, event: str, data: dict[str, Any]) -> None:
        assert self._socket is not None
        await self._socket.send_json({"op": _DISPATCH, "t": event, "s": next(self._sequence), "d": data})


_CHANNELS = ((LOUNGE, "lounge"), (ATTIC, "attic"))
_GUILD_REST = {"verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0} | {
    "mfa_level": 0,
    "nsfw_level": 0,
    "premium_tier": 0,
    "preferred_locale": "en-US",
    "system_channel_flags": 0,
    "afk_timeout": 300,
}


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, headers={"content-type": "application/json"})


@asynccontextmanager
async def discord_running() -> AsyncIterator[FakeDiscord]:
    """A fake Discord on a free port, with discord.py pointed at it for as long as it runs."""
    fake = FakeDiscord()
    runner = web.AppRunner(fake.app(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        fake.url = f"http://{host}:{port}"
        with _pointed_at(fake.url):
            yield fake
    finally:
        await runner.cleanup()


@contextmanager
def _pointed_at(url: str) -> Iterator[None]:
    """discord.py's addresses are class attributes and no constructor takes them; they are put back afterwards."""
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url.replace("http", "ws")) / "gw/"
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before
