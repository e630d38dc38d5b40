"""What a bot may do over HTTP, and the refusals that it has to live with."""

import json
import re
import time
from typing import Any

from aiohttp import web

from tests.clients.discord_bot.fake_discord.faults import Buckets, Fault, Hold, too_many
from tests.clients.discord_bot.fake_discord.interactions import DEFERRED, Asked, Interactions
from tests.clients.discord_bot.fake_discord.world import ALICE, APPLICATION, BOT, Place, World, member, user

Json = dict[str, Any]
API = "/api/v10"
LONGEST_TEXT = 2_000
LONGEST_NONCE = 25
_MESSAGES = re.compile(r"/channels/(\d+)/messages(?:/(\d+))?")
_WITHOUT_TOKEN = ("/interactions/", "/webhooks/")


class Rest:
    """`calls`: every call with method, path, status and body; `sent`, `edited`: the bodies of messages, refused ones too."""

    def __init__(self, world: World, interactions: Interactions, token: str) -> None:
        self._world = world
        self._interactions = interactions
        self._token = token
        self._nonces: dict[tuple[int, str], Json] = {}
        self.url = ""
        self.faults: list[Fault] = []
        self.holds: list[Hold] = []
        self.buckets: Buckets | None = None
        self.calls: list[tuple[str, str, int, Any]] = []
        self.sent: list[Json] = []
        self.edited: list[Json] = []
        self.typed_in: list[int] = []
        self.starts_left = 1000
        self.shards = 1

    def routes(self) -> list[web.RouteDef]:
        message = "/channels/{channel}/messages/{message}"
        hook = "/webhooks/{application}/{token}"
        commands = "/applications/{application}"
        table = [
            ("GET", "/users/@me", self._me),
            ("POST", "/users/@me/channels", self._direct),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/applications/@me", self._application),
            ("GET", "/gateway/bot", self._gateway),
            ("GET", "/channels/{channel}", self._channel),
            ("POST", "/channels/{channel}/typing", self._typing),
            ("GET", "/channels/{channel}/messages", self._history),
            ("POST", "/channels/{channel}/messages", self._post),
            ("GET", message, self._one),
            ("PATCH", message, self._edit),
            ("DELETE", message, self._delete),
            ("PUT", message + "/reactions/{emoji}/@me", self._nothing),
            ("GET", "/guilds/{guild}/members/{member}", self._member),
            ("GET", commands + "/commands", self._commands),
            ("PUT", commands + "/commands", self._register),
            ("GET", commands + "/guilds/{guild}/commands", self._commands),
            ("PUT", commands + "/guilds/{guild}/commands", self._register),
            ("POST", "/interactions/{id}/{token}/callback", self._callback),
            ("POST", hook, self._follow_up),
            ("GET", hook + "/messages/{message}", self._follow_up_seen),
            ("PATCH", hook + "/messages/{message}", self._follow_up_edited),
            ("DELETE", hook + "/messages/{message}", self._follow_up_deleted),
        ]
        return [web.route(method, API + path, handler) for method, path, handler in table]

    @web.middleware
    async def treat(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Notes every call, and lets what was asked for go wrong."""
        if not request.path.startswith(API):
            return await handler(request)  # type: ignore[no-any-return]
        path, headers = request.path.removeprefix(API), dict[str, str]()
        written = await request.text()
        body: Any = json.loads(written) if written else None
        if found := _MESSAGES.fullmatch(path):
            if request.method == "POST":
                self.sent.append(body | {"channel_id": int(found[1])})
            elif request.method == "PATCH":
                self.edited.append(body | {"channel_id": int(found[1]), "id": found[2]})
        response: web.StreamResponse | None = None
        self.holds = [each for each in self.holds if not each.reached.is_set()]
        hold = next((each for each in self.holds if each.takes(request.method, path)), None)
        if hold is not None and not hold.stored and not await hold.stand():
            return as_json({}, 500)
        fault = next((each for each in self.faults if each.takes(request.method, path)), None)
        if fault is None and self.buckets is not None:
            headers, wait = self.buckets.call(f"{request.method} {path}", time.monotonic())
            fault = too_many(wait) if wait else None
        if fault is None and not path.startswith(_WITHOUT_TOKEN) and request.headers.get("authorization") != f"Bot {self._token}":
            fault = Fault(401, body={"code": 0, "message": "401: Unauthorized"})
        if fault is None or fault.stored:
            response = await handler(request)
        if response is None or fault is not None:
            assert fault is not None
            response = as_json(fault.body, fault.status, fault.headers)
        if hold is not None and hold.stored and not await hold.stand():
            return as_json({}, 500)
        response.headers.update(headers)
        self.calls.append((request.method, path, response.status, body))
        return response

    # --- about itself -----------------------------------------------------------------------------------------------

    async def _me(self, _request: web.Request) -> web.Response:
        return as_json(user(BOT))

    async def _application(self, _request: web.Request) -> web.Response:
        about: Json = {"id": str(APPLICATION), "name": "zizou", "description": "", "icon": None, "bot_public": True}
        about |= {"bot_require_code_grant": False, "flags": 1 << 19}
        return as_json(about | {"owner": user(ALICE), "verify_key": "", "team": None})

    async def _gateway(self, _request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": self.starts_left, "reset_after": 60_000, "max_concurrency": 1}
        return as_json({"url": self.url.replace("http", "ws") + "/gw/", "shards": self.shards, "session_start_limit": limit})

    async def _commands(self, request: web.Request) -> web.Response:
        return as_json(self._interactions.commands.get(_guild(request), []))

    async def _register(self, request: web.Request) -> web.Response:
        return as_json(self._interactions.register(_guild(request), await request.json()))

    # --- in channels ------------------------------------------------------------------------------------------------

    async def _direct(self, _request: web.Request) -> web.Response:
        return as_json(Place(self._world.new_id(), "", None).about())

    async def _member(self, request: web.Request) -> web.Response:
        who = int(request.match_info["member"])
        return as_json(member(who) | {"user": user(who)})

    async def _channel(self, request: web.Request) -> web.Response:
        place = self._world.places.get(int(request.match_info["channel"]))
        return as_json(place.about()) if place else _unknown(10003, "Unknown Channel")

    async def _typing(self, request: web.Request) -> web.Response:
        self.typed_in.append(int(request.match_info["channel"]))
        return web.Response(status=204)

    async def _history(self, request: web.Request) -> web.Response:
        place = self._world.places.get(int(request.match_info["channel"]))
        if place is None:
            return _unknown(10003, "Unknown Channel")
        limit, before, after = (
            int(request.query.get(name, default)) for name, default in (("limit", 50), ("before", 1 << 63), ("after", 0))
        )
        found = [message for message in place.messages if after < int(message["id"]) < before]
        return as_json((found[:limit] if "after" in request.query else found[-limit:])[::-1])

    async def _one(self, request: web.Request) -> web.Response:
        found = self._found(request)
        return as_json(found) if found else _unknown(10008, "Unknown Message")

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        channel = int(request.match_info["channel"])
        if channel not in self._world.places:
            return _unknown(10003, "Unknown Channel")
        if refused := _wrong(body):
            return refused
        nonce = (channel, str(body.get("nonce", "")))
        if body.get("enforce_nonce") and nonce in self._nonces:
            return as_json(self._nonces[nonce])
        reference = body.get("message_reference")
        replied_to = self._world.find(channel, int(reference["message_id"])) if reference else None
        if reference and replied_to is None and reference.get("fail_if_not_exists", True):
            return as_json({"code": 50035, "message": "Invalid Form Body"}, 400)
        message = self._world.write(body["content"], BOT, channel, replied_to, flags=body.get("flags", 0), nonce=body.get("nonce"))
        message["components"] = body.get("components", [])
        self._nonces[nonce] = message
        return as_json(message)

    async def _edit(self, request: web.Request) -> web.Response:
        body = await request.json()
        found = self._found(request)
        if found is None:
            return _unknown(10008, "Unknown Message")
        if found["author"]["id"] != str(BOT):
            return as_json({"code": 50005, "message": "Cannot edit a message authored by another user"}, 403)
        if refused := _wrong({"content": found["content"]} | body):
            return refused
        found |= {key: body[key] for key in ("content", "components", "flags") if key in body} | {"edited_timestamp": found["timestamp"]}
        return as_json(found)

    async def _delete(self, request: web.Request) -> web.Response:
        found = self._found(request)
        if found is None:
            return _unknown(10008, "Unknown Message")
        self._world.delete(found)
        return web.Response(status=204)

    async def _nothing(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    def _found(self, request: web.Request) -> Json | None:
        return self._world.find(int(request.match_info["channel"]), int(request.match_info["message"]))

    # --- to interactions --------------------------------------------------------------------------------------------

    async def _callback(self, request: web.Request) -> web.Response:
        asked = self._interactions.by_token(request.match_info["token"])
        if asked is None:
            return _unknown(10062, "Unknown interaction")
        if asked.callback is not None:
            return as_json({"code": 40060, "message": "Interaction has already been acknowledged."}, 400)
        body = await request.json()
        if body["type"] == 4 and (refused := _wrong(body["data"])):
            return refused
        return as_json(await self._interactions.answer(asked, body))

    async def _follow_up(self, request: web.Request) -> web.Response:
        asked = self._asked(request)
        if asked is None or asked.callback is None:
            return _unknown(10015, "Unknown Webhook")
        body = await request.json()
        if refused := _wrong(body):
            return refused
        if asked.callback["type"] == DEFERRED and not asked.messages:
            body["flags"] = int(body.get("flags") or 0) | int((asked.callback.get("data") or {}).get("flags") or 0)
        message = self._interactions.message(asked, body)
        await asked.note(body)
        return as_json(message)

    async def _follow_up_seen(self, request: web.Request) -> web.Response:
        asked = self._asked(request)
        message = self._of(asked, request)
        return as_json(message) if message else _unknown(10008, "Unknown Message")

    async def _follow_up_edited(self, request: web.Request) -> web.Response:
        asked = self._asked(request)
        if asked is None or asked.callback is None:
            return _unknown(10015, "Unknown Webhook")
        body, message = await request.json(), self._of(asked, request)
        if message is None and request.match_info["message"] == "@original":  # a deferred answer is given by an edit
            message = self._interactions.message(asked, body | {"flags": (asked.callback.get("data") or {}).get("flags", 0)})
            await asked.note(body)
            return as_json(message)
        return as_json(await self._interactions.edit(asked, message, body)) if message else _unknown(10008, "Unknown Message")

    async def _follow_up_deleted(self, request: web.Request) -> web.Response:
        asked = self._asked(request)
        message = self._of(asked, request)
        if asked is None or message is None:
            return _unknown(10008, "Unknown Message")
        asked.messages.remove(message)
        return web.Response(status=204)

    def _asked(self, request: web.Request) -> Asked | None:
        return self._interactions.by_token(request.match_info["token"])

    @staticmethod
    def _of(asked: Asked | None, request: web.Request) -> Json | None:
        if asked is None or not asked.messages:
            return None
        which = request.match_info["message"]
        return asked.messages[0] if which == "@original" else next((each for each in asked.messages if each["id"] == which), None)


def as_json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """With exactly the type that discord.py takes for JSON."""
    return web.Response(body=json.dumps(body).encode(), status=status, headers=(headers or {}) | {"content-type": "application/json"})


def _unknown(code: int, message: str) -> web.Response:
    return as_json({"code": code, "message": message}, 404)


def _wrong(body: Json) -> web.Response | None:
    """The refusal of a message that Discord would not take."""
    if not body.get("content") and not body.get("components") and not body.get("embeds"):
        return as_json({"code": 50006, "message": "Cannot send an empty message"}, 400)
    if len(body.get("content") or "") > LONGEST_TEXT or len(str(body.get("nonce", ""))) > LONGEST_NONCE:
        return as_json({"code": 50035, "message": "Invalid Form Body"}, 400)
    return None


def _guild(request: web.Request) -> int | None:
    return int(request.match_info["guild"]) if "guild" in request.match_info else None
