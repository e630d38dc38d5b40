"""Whatever people write, reply to or forward: a prompt holds the words of its own place, and is asked with its own guild's key.

The real bot in two guilds, and stories drawn by Hypothesis. Every message says where it was written; every answer repeats that.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clients.discord_bot.fake_discord import BOT, GUILD, OTHER_BOT, PRIVATE, FakeDiscord, discord_running
from tests.clients.discord_bot.scene import Scene, made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
OTHER_GUILD = GUILD + 7
KEYS = {GUILD: "tr_first_key", OTHER_GUILD: "tr_second_key"}
STORIES = 60
"""More than these, and the pool of channels is used again; a channel has its limit of answers a minute."""
ROOMS = [GUILD + 10_000 + number for number in range(8 * STORIES)]
FAR_ROOMS = [OTHER_GUILD + 20_000 + number for number in range(8 * STORIES)]


@dataclass(frozen=True)
class Line:
    """One message of a story. `place` is one of six; `to` an earlier message, wherever that was written."""

    place: int
    kind: str
    who: int
    to: int
    asks: bool


LINES = st.builds(
    Line,
    place=st.integers(0, 5),
    kind=st.sampled_from(["said", "reply", "forward", "as a program"]),
    who=st.integers(0, 2),
    to=st.integers(0, 20),
    asks=st.booleans(),
)


class Parrot(StubGateway):
    """Two keys. Answers with the last word of the last message, so that an answer says where it belongs, too."""

    def _refused(self, request: web.Request) -> web.Response | None:
        return None

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.answer = str(body["messages"][-1]["content"].split()[-1])
        return await super().complete(request)


@dataclass(repr=False)
class Town:
    scene: Scene
    people: Iterator[int]
    rooms: Iterator[int]
    far_rooms: Iterator[int]

    async def places(self) -> list[int]:
        """Two channels, a thread of the first and one at a message of it, a channel of another guild, a direct channel."""
        fake = self.scene.discord
        first, second = next(self.rooms), next(self.rooms)
        starter = await fake.say(_words(first, 0), channel=first, who=next(self.people))
        threads = [await fake.open_thread(channel=first), await fake.open_thread(channel=first, starter=starter)]
        return [first, second, *threads, next(self.far_rooms), PRIVATE]

    async def live(self, story: list[Line]) -> None:
        fake, gateway, places = self.scene.discord, self.scene.gateway, await self.places()
        before, written, deserving = len(gateway.asked), list[dict[str, Any]](), 0
        crowd = [next(self.people) for _ in range(3)]
        for number, line in enumerate(story):
            place, more = places[line.place], dict[str, Any]()
            linked = written[line.to % len(written)] if written else None
            if line.kind == "reply" and linked is not None:
                more["reply_to"] = linked
            elif line.kind == "forward" and linked is not None:
                about = {"type": 1, "message_id": linked["id"], "channel_id": linked["channel_id"]}
                more |= {"message_reference": about, "message_snapshots": [{"message": linked}]}
            who = OTHER_BOT if line.kind == "as a program" else crowd[line.who]
            text = f"{MENTION} {_words(place, number)}" if line.asks else _words(place, number)
            written.append(await fake.say(text, who=who, channel=place, **more))
            deserving += line.asks and who != OTHER_BOT and place != PRIVATE
        await fake.until(lambda: len(gateway.asked) >= before + deserving)
        self.check(before)

    def check(self, since: int) -> None:
        fake, gateway = self.scene.discord, self.scene.gateway
        assert isinstance(gateway, Parrot)
        for body, key in zip(gateway.asked[since:], gateway.asked_with[since:], strict=True):
            words = " ".join(message["content"] for message in body["messages"]).split()
            places = {int(word.partition("-of-")[2]) for word in words if "-of-" in word}
            assert len(places) == 1, f"a prompt of several places: {words}"
            guild = fake.world.places[places.pop()].guild
            assert guild is not None
            assert key == KEYS[guild]


def _words(place: int, number: int) -> str:
    return f"word-{number}-of-{place}"


@asynccontextmanager
async def _town(home: Path) -> AsyncIterator[Town]:
    async with discord_running() as discord, serving(Parrot()) as gateway, made_bot(home, gateway.url, model=None) as bot:
        _build(discord)
        async with online(discord, gateway, bot) as scene:
            for guild, key in KEYS.items():
                await bot.links.link(guild, key, by=1, community="zizou")
            yield Town(scene, itertools.count(BOT + 1_000), itertools.cycle(ROOMS), itertools.cycle(FAR_ROOMS))


def _build(discord: FakeDiscord) -> None:
    discord.world.add_guild(GUILD, "Friends", {room: f"room-{room}" for room in ROOMS})
    discord.world.add_guild(OTHER_GUILD, "Others", {room: f"room-{room}" for room in FAR_ROOMS})


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Town]]:
    with asyncio.Runner() as runner:
        made = _town(tmp_path_factory.mktemp("bot"))
        yield runner, runner.run(made.__aenter__())
        runner.run(made.__aexit__(None, None, None))


@settings(max_examples=STORIES)
@given(story=st.lists(LINES, min_size=1, max_size=14))
def test_no_message_of_another_channel_thread_or_guild_enters_a_prompt(town: tuple[asyncio.Runner, Town], story: list[Line]) -> None:
    """Not by its neighbours, not by replies, forwards or the message that a thread began at, not by what the bot itself said elsewhere."""
    runner, place = town
    runner.run(place.live(story))
