"""Writes a community's channel as DiscordChatExporter 2.47 would: the same keys in the same order, one file per channel or thread.

Knows the file format and the people's ids, not what they say.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from adapters.demo.chatter import COMMUNITIES, Community, Line, play

_EPOCH_MS = 1_420_070_400_000
Json = dict[str, Any]


def write_export(community: Community, directory: Path, *, seed: int, messages: int) -> Path:
    """Write the channel, and one thread of a tenth of its size, into `directory`; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = Random(f"{seed}/{community.name}")
    thread = max(1, messages // 10)
    channel_lines = list(play(community, rng, messages - thread))
    last = channel_lines[-1]
    thread_lines = list(play(community, rng, thread, first=last.number + 1, at=last.at))
    scribe = _Scribe(community)
    channel, topic_thread = scribe.channel(), scribe.thread()
    for place, lines in ((channel, channel_lines), (topic_thread, thread_lines)):
        name = f"{community.title} - {place['category']} - {place['name']} [{place['id']}].json"
        _write(directory / name, scribe.guild(), place, scribe.messages(lines, place["id"]), _iso(thread_lines[-1].at))
    return directory


def write_all(root: Path, *, seed: int, messages: int) -> dict[str, Path]:
    """Every community's export in a folder of its own below `root`."""
    return {each.name: write_export(each, root / each.name, seed=seed, messages=messages) for each in COMMUNITIES}


def _write(path: Path, guild: Json, channel: Json, messages: Iterator[Json], exported_at: str) -> None:
    dump = json.JSONEncoder(ensure_ascii=False).encode
    count = 0
    with path.open("w", encoding="utf-8") as out:
        head = {"guild": guild, "channel": channel, "dateRange": {"after": None, "before": None}, "exportedAt": exported_at}
        out.write(dump(head)[:-1] + ', "messages": [')
        for count, message in enumerate(messages, start=1):
            out.write((",\n" if count > 1 else "\n") + dump(message))
        out.write(f'\n], "messageCount": {count}}}\n')


class _Scribe:
    """Turns lines into the exporter's objects; ids are snowflakes made from the community's name and the time."""

    def __init__(self, community: Community) -> None:
        self._community = community
        offset = int.from_bytes(community.name.encode()[:4], "big") % 9973
        self._first_id = (1_600_000_000_000 - _EPOCH_MS + offset * 1000) << 22
        people = (*community.writers, *community.readers, community.bot)
        self._users = {name: self._user(place, name) for place, name in enumerate(people)}
        self._emoji = self._all_emoji()

    def guild(self) -> Json:
        return {"id": self._id(0), "name": self._community.title, "iconUrl": "https://cdn.discordapp.com/embed/avatars/0.png"}

    def channel(self) -> Json:
        community = self._community
        return {
            "id": self._id(1),
            "type": "GuildTextChat",
            "categoryId": self._id(2),
            "category": "Everybody",
            "name": community.channel,
            "topic": community.topic,
        }

    def thread(self) -> Json:
        parent = self.channel()
        name = f"best of {self._community.channel}"
        kind = "GuildPublicThread"
        return {"id": self._id(3), "type": kind, "categoryId": parent["id"], "category": parent["name"], "name": name, "topic": None}

    def messages(self, lines: Sequence[Line], channel: str) -> Iterator[Json]:
        ids = {line.number: _snowflake(line.at, line.number) for line in lines}
        for line in lines:
            yield self._message(line, ids, channel)

    def _message(self, line: Line, ids: Mapping[int, str], channel: str) -> Json:
        message: Json = {
            "id": ids[line.number],
            "type": line.kind,
            "timestamp": _iso(line.at),
            "timestampEdited": _iso(line.edited) if line.edited else None,
            "callEndedTimestamp": None,
            "isPinned": line.pinned,
            "content": line.text,
            "author": self._users[line.author],
            "attachments": [],
            "embeds": [],
            "stickers": [],
            "reactions": [
                {"emoji": self._emoji[emoji], "count": len(names), "users": [_without_roles(self._users[name]) for name in names]}
                for emoji, names in line.reactions.items()
            ],
            "mentions": [],
        }
        if line.reply_to is not None:
            target = ids.get(line.reply_to)
            message["reference"] = {"type": "Default", "messageId": target, "channelId": channel, "guildId": self._id(0)}
        message["inlineEmojis"] = [emoji for name, emoji in self._emoji.items() if emoji["id"] and f":{name}:" in line.text]
        return message

    def _user(self, place: int, name: str) -> Json:
        is_bot = name == self._community.bot
        roles = [{"id": self._id(50), "name": "regular", "color": "#3498DB", "position": 1}] if name in self._community.writers else []
        return {
            "id": self._id(100 + place),
            "name": name.lower(),
            "discriminator": f"{4000 + place}" if is_bot else "0000",
            "nickname": name,
            "color": roles[0]["color"] if roles else None,
            "isBot": is_bot,
            "roles": roles,
            "avatarUrl": f"https://cdn.discordapp.com/embed/avatars/{place % 6}.png",
        }

    def _all_emoji(self) -> dict[str, Json]:
        emoji: dict[str, Json] = {}
        for place, name in enumerate(self._community.emoji):
            number = self._id(300 + place)
            url = f"https://cdn.discordapp.com/emojis/{number}.png"
            emoji[name] = {"id": number, "name": name, "code": name, "isAnimated": False, "imageUrl": url}
        for glyph, code in self._community.faces:
            url = f"https://cdn.jsdelivr.net/gh/twitter/twemoji@latest/assets/svg/{ord(glyph[0]):x}.svg"
            emoji[glyph] = {"id": "", "name": glyph, "code": code, "isAnimated": False, "imageUrl": url}
        return emoji

    def _id(self, place: int) -> str:
        return str(self._first_id + place)


def _snowflake(at: datetime, number: int) -> str:
    milliseconds = int(at.timestamp() * 1000) - _EPOCH_MS
    return str((milliseconds << 22) + number % 4096)


def _iso(at: datetime) -> str:
    return at.isoformat()


def _without_roles(user: Json) -> Json:
    return {key: value for key, value in user.items() if key != "roles"}
