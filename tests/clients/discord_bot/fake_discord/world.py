"""Who and what is there, as Discord's objects: guilds, channels, threads, messages. Knows nothing of HTTP or of the gateway."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_SNOWFLAKE = 10**17  # discord.py takes only numbers as long as real ids for ids in a text
BOT, ALICE, BOB, OTHER_BOT = range(_SNOWFLAKE + 1, _SNOWFLAKE + 5)
GUILD, LOUNGE, ATTIC, PRIVATE = range(_SNOWFLAKE + 11, _SNOWFLAKE + 15)
BOT_ROLE = _SNOWFLAKE + 21
"""Discord makes it for the bot when it is invited."""
APPLICATION = 1
_NAMES = {BOT: "zizou", ALICE: "Alice", BOB: "Bob", OTHER_BOT: "MusicBot"}
_EPOCH_MS = 1_420_070_400_000
_MANY_PERMISSIONS = str((1 << 50) - 1 - (1 << 3))  # not Administrator, whom no channel can deny anything
_JOINED = "2026-01-01T00:00:00+00:00"
TEXT, DIRECT, THREAD = 0, 1, 11
PLAIN, REPLY, THREAD_STARTER = 0, 19, 21

Json = dict[str, Any]


def user(who: int) -> Json:
    """A Discord user object; an id that has no name here gets one."""
    name = _NAMES.get(who, f"Person{who}")
    return {
        "id": str(who),
        "username": name.lower(),
        "global_name": name,
        "discriminator": "0",
        "avatar": None,
        "bot": who in (BOT, OTHER_BOT),
    }


def member(who: int, permissions: int | None = None) -> Json:
    """A member object without its user; with the permissions that interactions carry, if given."""
    about: Json = {"roles": [], "joined_at": _JOINED, "deaf": False, "mute": False, "flags": 0}
    return about if permissions is None else about | {"permissions": str(permissions)}


@dataclass
class Place:
    """A channel or a thread, with its messages, oldest first."""

    id: int
    name: str
    guild: int | None
    parent: int | None = None
    denied: int = 0
    """The rights that nobody has there."""
    messages: list[Json] = field(default_factory=list)

    def about(self) -> Json:
        """Discord's channel object."""
        if self.guild is None:
            return {"id": str(self.id), "type": DIRECT, "last_message_id": None, "recipients": [user(ALICE)]}
        about: Json = {"id": str(self.id), "name": self.name, "guild_id": str(self.guild), "position": 0}
        about |= {"permission_overwrites": [{"id": str(self.guild), "type": 0, "allow": "0", "deny": str(self.denied)}]}
        about |= {"last_message_id": self.messages[-1]["id"] if self.messages else None}
        if self.parent is None:
            return about | {"type": TEXT}
        since = {"archived": False, "auto_archive_duration": 1440, "archive_timestamp": _JOINED, "locked": False}
        thread = {"type": THREAD, "parent_id": str(self.parent), "owner_id": str(ALICE), "message_count": 0, "member_count": 2}
        return about | thread | {"thread_metadata": since}


class World:
    """One guild with two channels, and a direct channel with Alice; more of everything on request."""

    def __init__(self) -> None:
        self.guilds: dict[int, str] = {}
        self.places: dict[int, Place] = {PRIVATE: Place(PRIVATE, "", None)}
        self._last_id = 0
        self.add_guild(GUILD, "Friends", {LOUNGE: "lounge", ATTIC: "attic"})

    def new_id(self) -> int:
        """A snowflake of this moment; later ones are larger."""
        self._last_id = max(self._last_id + 1, (int(time.time() * 1000) - _EPOCH_MS) << 22)
        return self._last_id

    def add_guild(self, guild: int, name: str, channels: Mapping[int, str]) -> None:
        self.guilds[guild] = name
        for channel, called in channels.items():
            self.places[channel] = Place(channel, called, guild)

    def guild_about(self, guild: int) -> Json:
        """What GUILD_CREATE says."""
        places = [place for place in self.places.values() if place.guild == guild]
        everyone = {"id": str(guild), "name": "@everyone", "permissions": _MANY_PERMISSIONS, "position": 0, "color": 0, "hoist": False}
        everyone |= {"managed": False, "mentionable": False, "colors": {"primary_color": 0}}
        own = {"id": str(BOT_ROLE), "name": _NAMES[BOT], "managed": True, "tags": {"bot_id": str(BOT)}}
        return {
            "id": str(guild),
            "name": self.guilds[guild],
            "owner_id": str(ALICE),
            "member_count": 3,
            "roles": [everyone, everyone | own],
            "emojis": [],
            "features": [],
            "members": [member(BOT) | {"user": user(BOT)}],
            "channels": [place.about() for place in places if place.parent is None],
            "threads": [place.about() for place in places if place.parent is not None],
            **_GUILD_REST,
        }

    def open_thread(self, name: str, channel: int, starter: Json | None = None) -> Place:
        """A thread; begun at a message it has that message's id and refers to it, as Discord has it."""
        thread = Place(int(starter["id"]) if starter else self.new_id(), name, self.places[channel].guild, channel)
        self.places[thread.id] = thread
        if starter is not None:
            reference = {"type": 0, "message_id": starter["id"], "channel_id": str(channel), "guild_id": str(thread.guild)}
            self.write(
                "", int(starter["author"]["id"]), thread.id, type=THREAD_STARTER, message_reference=reference, referenced_message=starter
            )
        return thread

    def write(self, text: str, who: int, channel: int, reply_to: Json | None = None, **more: Any) -> Json:
        """A new message in its place."""
        written = self.new_id()
        message: Json = {
            "id": str(written),
            "channel_id": str(channel),
            "author": user(who),
            "content": text,
            "timestamp": datetime.fromtimestamp(((written >> 22) + _EPOCH_MS) / 1000, UTC).isoformat(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [user(each) for each in _NAMES if re.search(rf"(?<!`)<@{each}>", text)],
            "mention_roles": [str(BOT_ROLE)] if f"<@&{BOT_ROLE}>" in text else [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": PLAIN,
        }
        place = self.places.setdefault(channel, Place(channel, "unlisted", GUILD))
        if place.guild is not None:
            message["guild_id"] = str(place.guild)
        if reply_to:
            message |= {
                "type": REPLY,
                "message_reference": {"type": 0, "message_id": reply_to["id"], "channel_id": reply_to["channel_id"]},
                "referenced_message": {key: reply_to[key] for key in reply_to if key != "referenced_message"},
            }
        message |= more
        place.messages.append(message)
        return message

    def find(self, channel: int, message: int) -> Json | None:
        place = self.places.get(channel)
        return next((each for each in place.messages if int(each["id"]) == message), None) if place else None

    def delete(self, gone: Json) -> None:
        """Replies to it then refer to nothing."""
        written = self.places[int(gone["channel_id"])].messages
        written.remove(gone)
        for message in written:
            if message.get("message_reference", {}).get("message_id") == gone["id"]:
                message["referenced_message"] = None

    def spoken(self, channel: int | None = None) -> list[Json]:
        """What the bot said and is still there, in one place or everywhere, oldest first."""
        places = self.places.values() if channel is None else [self.places[channel]]
        said = [message for place in places for message in place.messages if message["author"]["id"] == str(BOT)]
        return sorted(said, key=lambda message: int(message["id"]))

    def answered(self) -> set[str]:
        """The messages that the bot replied to."""
        return {message["message_reference"]["message_id"] for message in self.spoken() if "message_reference" in message}


_GUILD_REST = {"verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0} | {
    "mfa_level": 0,
    "nsfw_level": 0,
    "premium_tier": 0,
    "preferred_locale": "en-US",
    "system_channel_flags": 0,
    "afk_timeout": 300,
}
