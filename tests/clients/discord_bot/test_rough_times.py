"""A Discord that breaks, repeats and replays, and a bot that says each thing once."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from clients.discord_bot.bot import Manner
from tests.clients.discord_bot.fake_discord import BOT, GUILD, OTHER_BOT, FakeDiscord, discord_running
from tests.clients.discord_bot.fake_discord.faults import too_many
from tests.clients.discord_bot.scene import Hasty, made_bot, online
from tests.clients.stub_gateway import KEY, StubGateway, serving

MENTION = f"<@{BOT}>"
ROOMS = {GUILD + 1_000 + number: f"room-{number}" for number in range(80)}

FAR_GUILD = GUILD + (1 << 22)
FAR_ROOMS = {FAR_GUILD + 2_000 + number: f"far-{number}" for number in range(20)}
GUILD_SHARD = (GUILD >> 22) % 2
_HAPPENINGS = ("lost", "twice", "replay", "ignored", "limited", "502", "502 stored")
_HOW_OFTEN = (6, 4, 4, 2, 2, 1, 1)


async def _mishap(discord: FakeDiscord, kind: str) -> None:
    """One thing that goes wrong with the connection."""
    match kind:
        case "cut":
            await discord.gateway.drop()
        case "closed":
            await discord.gateway.drop(4000)
        case "op 7":
            await discord.gateway.ask_to_reconnect()
        case "op 9":
            await discord.gateway.invalidate(resumable=True)
        case "anew":
            times = len(discord.gateway.identified)
            await discord.gateway.invalidate(resumable=False)
            await discord.online(times + 1)


async def test_each_message_that_deserves_it_is_answered_once(tmp_path: Path) -> None:
    """Five hundred times a connection is lost, an event comes twice, what was heard is told again, a send fails or its answer is lost."""
    draw, asked = random.Random(7), list[dict[str, Any]]()
    async with discord_running() as discord, serving(StubGateway()) as gateway, made_bot(tmp_path, gateway.url, kind=Hasty) as bot:
        discord.world.add_guild(GUILD, "Friends", ROOMS)
        async with online(discord, gateway, bot):
            for number in range(500):
                room, who = draw.choice(list(ROOMS)), BOT + 1_000 + number
                match draw.choices(_HAPPENINGS, _HOW_OFTEN)[0]:
                    case "lost":
                        asked.append(await discord.say(f"{MENTION} {number}", who=who, channel=room))
                        kind = draw.choices(["cut", "closed", "op 7", "op 9", "anew"], [4, 4, 4, 4, 1])[0]
                        await _mishap(discord, kind)
                    case "twice":
                        asked.append(await discord.say(f"{MENTION} {number}", who=who, channel=room))
                        for again in draw.sample(asked, min(len(asked), 3)):
                            await discord.tell(again)
                    case "replay":
                        asked.append(await discord.say(f"{MENTION} {number}", who=who, channel=room))
                        discord.gateway.repeats = draw.randint(1, 30)
                        await _mishap(discord, draw.choice(["cut", "op 7"]))
                    case "ignored":
                        await discord.say(f"just talking {number}", who=who, channel=room)
                        await discord.say(f"{MENTION} {number}", who=OTHER_BOT, channel=room)
                    case "limited":
                        discord.goes_wrong(too_many(0.05, method="POST", path=rf"/channels/{room}/messages"))
                        asked.append(await discord.say(f"{MENTION} {number}", who=who, channel=room))
                    case fault:
                        discord.fails(502, method="POST", path=rf"/channels/{room}/messages", stored=fault == "502 stored")
                        asked.append(await discord.say(f"{MENTION} {number}", who=who, channel=room))
                await discord.said(len(asked) - 60)
            await discord.answers(len(asked) + len(discord.rest.faults))  # each fault was met by one attempt more
    replies = Counter(message["message_reference"]["message_id"] for message in discord.spoken())
    assert replies == Counter(message["id"] for message in asked)


async def test_two_shards_answer_each_in_its_own_guilds_and_once(tmp_path: Path) -> None:
    """Both connections break together and apart from their guilds' talk; one file remembers for both what was answered."""
    draw, asked = random.Random(8), list[dict[str, Any]]()
    async with (
        discord_running() as discord,
        serving(StubGateway()) as gateway,
        made_bot(tmp_path, gateway.url, model=None, manner=Manner(shard_count=2), kind=Hasty) as bot,
    ):
        discord.world.add_guild(GUILD, "Friends", ROOMS)
        discord.world.add_guild(FAR_GUILD, "Others", FAR_ROOMS)
        async with online(discord, gateway, bot):
            await discord.online(2)
            for guild in (GUILD, FAR_GUILD):
                await bot.links.link(guild, KEY, by=1, community="zizou")
            for number in range(100):
                room = draw.choice([*ROOMS, *FAR_ROOMS])
                asked.append(await discord.say(f"{MENTION} {number}", who=BOT + 1_000 + number, channel=room))
                discord.gateway.repeats = draw.randint(0, 5)
                await _mishap(discord, draw.choice(["cut", "op 7", "none", "none"]))
            await discord.answers(len(asked))
            assert {guild.id: guild.shard_id for guild in bot.guilds} == {GUILD: GUILD_SHARD, FAR_GUILD: 1 - GUILD_SHARD}
    replies = Counter(message["message_reference"]["message_id"] for message in discord.spoken())
    assert replies == Counter(message["id"] for message in asked)
