"""People who use commands, forms and buttons, and what they get to read.

A test asks (`FakeDiscord.command`, `press`, `submit`, `choices`) and holds an `Asked`: the bot's first answer, its follow-ups and edits,
as the person would see them. A command has to be registered, as nobody could call it otherwise.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.clients.discord_bot.fake_discord.world import APPLICATION, BOT, Place, World, member, user

Json = dict[str, Any]
ADMIN = (1 << 5) | (1 << 3)
"""Manage Server, and Administrator."""
COMMAND, COMPONENT, CHOICES, FORM = 2, 3, 4, 5
SAID, DEFERRED, DEFERRED_UPDATE, UPDATED, CHOICES_SHOWN, FORM_SHOWN = 4, 5, 6, 7, 8, 9
EPHEMERAL = 64
COMMANDS = 20
"""The type of a message that a command said."""
_CHANNEL = 7
_OPTION_TYPES: tuple[tuple[type, int], ...] = ((bool, 5), (int, 4), (float, 10), (str, 3))


@dataclass
class Asked:
    """One interaction and all that came of it."""

    id: int
    token: str
    body: Json
    callback: Json | None = None
    """The bot's first answer as it was sent: its type and data."""
    messages: list[Json] = field(default_factory=list)
    """What the person reads, the first answer first; each as it is after all edits."""
    changes: list[Json] = field(default_factory=list)
    """Every body that was sent for it, in order."""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def text(self) -> str:
        """The last thing that the person reads."""
        return str(self.messages[-1]["content"])

    @property
    def is_ephemeral(self) -> bool:
        """Whether only the person who asked sees the first answer."""
        return bool(int(((self.callback or {}).get("data") or {}).get("flags") or 0) & EPHEMERAL)

    async def answered(self, messages: int = 1) -> "Asked":
        """Once the person has so many messages to read: a deferred answer is none yet."""
        return await self._until(lambda: len(self.messages) >= messages)

    async def acknowledged(self) -> "Asked":
        """Once there is any answer: a form, choices, a deferral."""
        return await self._until(lambda: self.callback is not None)

    async def changed(self, times: int) -> "Asked":
        """Once so many bodies were sent for it."""
        return await self._until(lambda: len(self.changes) >= times)

    async def _until(self, condition: Any) -> "Asked":
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(condition)
        return self

    async def note(self, body: Json) -> None:
        async with self._changed:
            self.changes.append(body)
            self._changed.notify_all()


class Interactions:
    """Makes interactions, and takes what the bot says to them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_token: dict[str, Asked] = {}
        self.commands: dict[int | None, list[Json]] = {}
        """What is registered: for each guild, and under None everywhere."""

    def register(self, guild: int | None, commands: list[Json]) -> list[Json]:
        """Replaces what was registered there before; answers as Discord does."""
        about: Json = {"application_id": str(APPLICATION), "version": "1", "default_member_permissions": None, "options": [], "type": 1}
        about["description"] = ""  # as a message's own commands have it
        registered = [about | command | {"id": str(self._world.new_id())} for command in commands]
        if guild is not None:
            registered = [command | {"guild_id": str(guild)} for command in registered]
        self.commands[guild] = registered
        return registered

    def by_token(self, token: str) -> Asked | None:
        return self._by_token.get(token)

    # --- what people do ---------------------------------------------------------------------------------------------

    def command(self, path: str, options: Mapping[str, Any], *, who: int, channel: int, permissions: int) -> Asked:
        """`path` is the command as people type it: `persona`, `troupe link`."""
        data, chosen = self._called(path, channel)
        chosen += [_option(name, value) for name, value in options.items()]
        named = [place.about() for place in options.values() if isinstance(place, Place)]
        if named:
            data["resolved"] = {"channels": {place["id"]: place | {"permissions": str(permissions)} for place in named}}
        return self._asked(COMMAND, data, who, channel, permissions)

    def menu(self, name: str, message: Json, *, who: int, permissions: int) -> Asked:
        """A command of a message's own menu."""
        [registered] = [command for command in self.commands.get(None, []) if command["name"] == name]
        data: Json = {"id": registered["id"], "name": name, "type": registered["type"], "target_id": message["id"]}
        data["resolved"] = {"messages": {message["id"]: message}}
        return self._asked(COMMAND, data, who, int(message["channel_id"]), permissions)

    def choices(self, path: str, option: str, typed: str, *, who: int, channel: int, permissions: int) -> Asked:
        """What is offered while somebody types an option."""
        data, chosen = self._called(path, channel)
        chosen.append(_option(option, typed) | {"focused": True})
        return self._asked(CHOICES, data, who, channel, permissions)

    def submit(self, form: Asked, values: Mapping[str, str], *, who: int, channel: int, permissions: int) -> Asked:
        """Fill in a form that `form` got as its answer. `values` are by custom id, or by label."""
        shown = (form.callback or {})["data"]
        filled = [_filled(component, values) for component in shown["components"]]
        return self._asked(FORM, {"custom_id": shown["custom_id"], "components": filled}, who, channel, permissions)

    def press(self, message: Json, label: str, *, who: int, channel: int, permissions: int) -> Asked:
        """A button, by its label."""
        buttons = [button for row in message["components"] for button in row["components"]]
        pressed = next(button for button in buttons if button.get("label") == label)
        data = {"custom_id": pressed["custom_id"], "component_type": pressed["type"]}
        return self._asked(COMPONENT, data, who, channel, permissions, message=message)

    def _called(self, path: str, channel: int) -> tuple[Json, list[Json]]:
        """The command's data, and the list inside it that its options go into."""
        name, *subs = path.split()
        guild = self._world.places[channel].guild
        known = [*self.commands.get(guild, []), *self.commands.get(None, [])]
        registered = next((command for command in known if command["name"] == name), None)
        if registered is None:
            raise LookupError(f"No command {name} is registered there, only {[command['name'] for command in known]}.")
        data: Json = {"id": registered["id"], "name": name, "type": registered["type"], "options": []}
        if "guild_id" in registered:
            data["guild_id"] = registered["guild_id"]
        options, described = data["options"], registered["options"]
        for sub in subs:
            found = next((option for option in described if option["name"] == sub), None)
            if found is None:
                raise LookupError(f"{path}: no {sub}, only {[option['name'] for option in described]}.")
            options.append({"name": sub, "type": found["type"], "options": []})
            options, described = options[-1]["options"], found.get("options", [])
        return data, options

    def _asked(self, kind: int, data: Json, who: int, channel: int, permissions: int, **more: Any) -> Asked:
        place, number = self._world.places[channel], self._world.new_id()
        body: Json = {
            "id": str(number),
            "application_id": str(APPLICATION),
            "type": kind,
            "data": data,
            "token": f"token-of-{number}",
            "version": 1,
            "channel_id": str(channel),
            "channel": place.about(),
            "locale": "en-US",
            "app_permissions": str((1 << 50) - 1),
            "attachment_size_limit": 10_485_760,
            "entitlements": [],
            "authorizing_integration_owners": {},
            "context": 1 if place.guild is None else 0,
        } | more
        if place.guild is None:
            body["user"] = user(who)
        else:
            body |= {"guild_id": str(place.guild), "guild_locale": "en-US", "member": member(who, permissions) | {"user": user(who)}}
        asked = Asked(number, body["token"], body)
        self._by_token[asked.token] = asked
        return asked

    # --- what the bot says to it ------------------------------------------------------------------------------------

    async def answer(self, asked: Asked, said: Json) -> Json:
        """The first answer; what Discord returns for it."""
        asked.callback = said
        data = said.get("data") or {}
        returned: Json = {"interaction": {"id": str(asked.id), "type": asked.body["type"]}}
        if said["type"] == SAID:
            message = self.message(asked, data)
            returned["interaction"]["response_message_id"] = message["id"]
            returned["resource"] = {"type": SAID, "message": message}
        elif said["type"] == UPDATED:
            changed = asked.body["message"] | {key: data[key] for key in data if key in ("content", "components")}
            asked.messages.append(changed)
            returned["resource"] = {"type": UPDATED, "message": changed}
        await asked.note(said)
        return returned

    def message(self, asked: Asked, data: Json) -> Json:
        """What the person reads. One that only he sees is in no channel."""
        channel = int(asked.body["channel_id"])
        message = self._world.write(
            data.get("content") or "", BOT, channel, type=COMMANDS, components=data.get("components", []), flags=data.get("flags", 0)
        )
        if int(data.get("flags") or 0) & EPHEMERAL:
            self._world.delete(message)
        asked.messages.append(message)
        return message

    async def edit(self, asked: Asked, message: Json, data: Json) -> Json:
        message |= {key: data[key] for key in data if key in ("content", "components")}
        await asked.note(data)
        return message


def _option(name: str, value: Any) -> Json:
    if isinstance(value, Place):
        return {"name": name, "type": _CHANNEL, "value": str(value.id)}
    kind = next(number for kind, number in _OPTION_TYPES if isinstance(value, kind))
    return {"name": name, "type": kind, "value": value}


def _filled(component: Json, values: Mapping[str, str]) -> Json:
    """A form's component as it is sent back; rows and labels hold the fields."""
    inner = component.get("components") or ([component["component"]] if "component" in component else [])
    label = str(component.get("label", ""))
    fields = [_field(each, values, label) for each in inner]
    if "component" in component:
        return {"type": component["type"], "id": component.get("id", 1), "component": fields[0]}
    return {"type": component["type"], "id": component.get("id", 1), "components": fields}


def _field(shown: Json, values: Mapping[str, str], label: str) -> Json:
    names = (shown["custom_id"], str(shown.get("label", "")), label)
    value = next((values[name] for name in names if name in values), shown.get("value", ""))
    sent = {"type": shown["type"], "id": shown.get("id", 2), "custom_id": shown["custom_id"]}
    return sent | ({"value": value} if shown["type"] == 4 else {"values": [value]})
