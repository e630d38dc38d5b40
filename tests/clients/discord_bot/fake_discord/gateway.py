"""The gateway's websocket: who is connected as which shard, what was told to whom, and what is told again.

A session outlives its connections. What happens while nobody is connected is kept and told at the next resume, in order and with its
number. A test may break a connection, invalidate a session, stop answering heartbeats or tell things twice.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]
DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
ENDS_SESSION = frozenset({1000, 1001, 4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014})
"""Codes after which there is nothing to resume."""


@dataclass
class Session:
    """One shard's, as long as it can be resumed."""

    id: str
    shard: tuple[int, int]
    socket: web.WebSocketResponse | None = None
    request: web.Request | None = None
    events: list[Json] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def tell(self, event: str, data: Json) -> None:
        async with self._turn:
            await self._tell(event, data)

    async def resume(self, socket: web.WebSocketResponse, request: web.Request, after: int) -> None:
        """Everything past `after` again; what happens meanwhile waits for its turn."""
        async with self._turn:
            self.socket, self.request = socket, request
            for frame in self.events[after:]:
                await self.send(frame)
            await self._tell("RESUMED", {})

    async def _tell(self, event: str, data: Json) -> None:
        frame = {"op": DISPATCH, "t": event, "s": len(self.events) + 1, "d": data}
        self.events.append(frame)
        await self.send(frame)

    async def send(self, frame: Json) -> None:
        if self.socket is not None and not self.socket.closed:
            with contextlib.suppress(ConnectionError):  # gone, which a resume makes up for
                await self.socket.send_json(frame)


class Gateway:
    """`greeting` makes READY's fields for a shard, `guilds` what a shard is told of after it."""

    def __init__(self, token: str, greeting: Callable[[], Json], guilds: Callable[[tuple[int, int]], list[Json]]) -> None:
        self._token = token
        self._greeting = greeting
        self._guilds = guilds
        self._sessions: dict[str, Session] = {}
        self.heartbeat_s = 45.0
        self.answers_heartbeats = True
        self.heartbeats = 0
        self.refuses_with: int | None = None
        """A close code that everybody who identifies gets: 4004 for a bad token, 4014 for a missing intent."""
        self.repeats = 0
        """So many events that the bot has already got are told again at a resume."""
        self.identified: list[Json] = []
        self.resumed: list[Json] = []
        self._changed = asyncio.Condition()

    # --- what a test does -------------------------------------------------------------------------------------------

    async def tell(self, event: str, data: Json, guild: int | None = None) -> None:
        """An event of a guild, to its shard; of nobody's guild, to the first."""
        for session in self._sessions.values():
            number, count = session.shard
            if (((guild or 0) >> 22) % count) == number:
                await session.tell(event, data)

    async def drop(self, code: int | None = None) -> None:
        """Break every connection: without a word, or with a close code."""
        for session in list(self._sessions.values()):
            if code in ENDS_SESSION:
                del self._sessions[session.id]
            socket, session.socket = session.socket, None
            if socket is None or socket.closed:
                continue
            if code is not None:
                await socket.close(code=code)
            elif session.request is not None and session.request.transport is not None:
                session.request.transport.abort()

    async def ask_to_reconnect(self) -> None:
        """Opcode 7."""
        for session in self._sessions.values():
            await session.send({"op": RECONNECT, "d": None})

    async def invalidate(self, *, resumable: bool) -> None:
        """Opcode 9; what cannot be resumed is forgotten."""
        for session in list(self._sessions.values()):
            if not resumable:
                del self._sessions[session.id]
            await session.send({"op": INVALID, "d": resumable})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until somebody who connects makes it true."""
        async with self._changed:
            await self._changed.wait_for(condition)

    @property
    def connected(self) -> int:
        return sum(session.socket is not None and not session.socket.closed for session in self._sessions.values())

    # --- what the bot sees ------------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": HELLO, "d": {"heartbeat_interval": int(self.heartbeat_s * 1000)}, "s": None, "t": None})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            said = json.loads(frame.data)
            match said["op"]:
                case 1:
                    self.heartbeats += 1
                    if self.answers_heartbeats:
                        await socket.send_json({"op": ACK})
                case 2:
                    await self._identify(socket, request, said["d"])
                case 6:
                    await self._resume(socket, request, said["d"])
        return socket

    async def _identify(self, socket: web.WebSocketResponse, request: web.Request, said: Json) -> None:
        if self.refuses_with is not None or said["token"] != self._token:
            await socket.close(code=self.refuses_with or 4004)
            return
        number, count = said.get("shard", (0, 1))
        session = Session(f"session-{len(self.identified) + 1}", (number, count), socket, request)
        for old in [old for old in self._sessions.values() if old.shard == session.shard]:
            del self._sessions[old.id]
        self._sessions[session.id] = session
        guilds = self._guilds(session.shard)
        unavailable = [{"id": guild["id"], "unavailable": True} for guild in guilds]
        await session.tell("READY", self._greeting() | {"session_id": session.id, "shard": [number, count], "guilds": unavailable})
        for guild in guilds:
            await session.tell("GUILD_CREATE", guild)
        async with self._changed:
            self.identified.append(said)
            self._changed.notify_all()

    async def _resume(self, socket: web.WebSocketResponse, request: web.Request, said: Json) -> None:
        session = self._sessions.get(said["session_id"])
        if session is None:
            await socket.send_json({"op": INVALID, "d": False})
            return
        await session.resume(socket, request, max(0, said["seq"] - self.repeats))
        async with self._changed:
            self.resumed.append(said)
            self._changed.notify_all()
