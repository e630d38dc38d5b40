"""The wire under the real discord.py: nothing leaves past the wall, and a storm of refusals ends."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
from discord import app_commands

from clients.discord_bot.breaker import LIMIT, Breaker
from clients.discord_bot.errors import Silenced, Unsendable
from clients.discord_bot.outgoing import SUPPRESS_EMBEDS, Outgoing
from clients.discord_bot.wire import Wire
from tests.clients.discord_bot.fake_discord import BOB, GUILD, LOUNGE, OTHER_BOT, TOKEN, FakeDiscord, discord_running
from tests.clients.discord_bot.fake_discord.faults import Fault, too_many

KEY = "tr_0123456789ab_" + "s3cret" * 6
DISCORD_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA" + ".Gabcde." + "abcdefghij" * 3 + "klmnopqr"
EVERYBODY = discord.AllowedMentions.all()
PIECES = (
    *("@everyone", "@here", "@EVERYONE", f"<@{BOB}>", f"<@!{BOB}>", f"<@&{GUILD}>", f"<@&{OTHER_BOT}>", "<#1>", "@\u200beveryone"),
    *("https://evil.example/x", "[bank](https://evil.example)", "discord.gg/abc", "<https://a.b>", "# big", "||hidden||", "```"),
    *(KEY, TOKEN, DISCORD_TOKEN, "\u202eenoyreve@", "＠everyone", "\x00", "\ud83d", "{}", '"', "\\", "\n", "é", "😀", "a" * 300),
    *('","allowed_mentions":{"parse":["everyone"]},"x":"', "allowed_mentions"),
)


class Mouth(discord.Client):
    """Says what a test tells it to say, with every mention allowed; `/say` answers with the next text."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            connector=wire,
            http_trace=wire.trace(),
            allowed_mentions=EVERYBODY,
            guild_ready_timeout=0.05,  # the fake has all guilds at once
        )
        self.tree = app_commands.CommandTree(self)
        self.replies: list[Callable[[discord.Interaction], Awaitable[Any]]] = []
        self.is_up = asyncio.Event()
        self.tree.command(name="say", description="Says it.")(self._say)

    async def _say(self, interaction: discord.Interaction) -> None:
        await self.replies.pop(0)(interaction)

    async def on_ready(self) -> None:
        await self.tree.sync()
        self.is_up.set()

    @property
    def lounge(self) -> discord.TextChannel:
        channel = self.get_channel(LOUNGE)
        assert isinstance(channel, discord.TextChannel)
        return channel


@asynccontextmanager
async def _mouth() -> AsyncIterator[tuple[FakeDiscord, Mouth]]:
    async with discord_running() as discord_, Mouth(Wire(Breaker(), Outgoing(secrets=[TOKEN]))) as mouth:
        running = asyncio.create_task(mouth.start(TOKEN))
        await asyncio.wait_for(mouth.is_up.wait(), 20)
        yield discord_, mouth
        await mouth.close()
        await running


def worst_outputs(number: int) -> list[str]:
    """What a model might write at its worst, the same in every run."""
    draw = random.Random(16)
    made = ["".join(draw.choices(PIECES, k=draw.randint(1, 6)))[:1900] for _ in range(number)]
    return [text.encode("utf-8", "ignore").decode() or "x" for text in made]


def _messages(body: Any) -> list[dict[str, Any]]:
    """The message objects in a body, wherever they are."""
    if isinstance(body, list):
        return [found for each in body for found in _messages(each)]
    if not isinstance(body, dict):
        return []
    own = [body] if "content" in body or "allowed_mentions" in body else []
    return own + [found for each in body.values() for found in _messages(each)]


async def test_a_thousand_adversarial_outputs_can_ping_nobody() -> None:
    """New messages, replies, edits, answers to commands, their edits and follow-ups, all asking for every mention: no payload allows one,
    none unfolds a link, none holds a key."""
    texts = worst_outputs(1000)
    async with _mouth() as (fake, mouth):
        message = await mouth.lounge.send("a message to change")
        while texts:
            await mouth.lounge.send(texts.pop(), allowed_mentions=EVERYBODY, tts=True, embed=discord.Embed(title=KEY))
            await message.reply(texts.pop(), mention_author=True)
            await message.edit(content=texts.pop(), allowed_mentions=EVERYBODY, suppress=False)
            await _interaction(fake, mouth, [texts.pop() for _ in range(5)])
            if len(texts) < 8:
                break
        bodies = [found for _, path, _, body in fake.calls for found in _messages(body) if "commands" not in path]
    contents = [body for body in bodies if body.get("content")]
    assert len(contents) >= 990
    assert [body for body in bodies if body["allowed_mentions"] != {"parse": [], "replied_user": False}] == []
    assert [body for body in bodies if not body["flags"] & SUPPRESS_EMBEDS or body.get("embeds") or body.get("tts")] == []
    assert not any(secret in str(contents) for secret in (KEY, TOKEN, DISCORD_TOKEN, "@everyone", "@here"))


async def _interaction(fake: FakeDiscord, mouth: Mouth, texts: list[str]) -> None:
    async def answer(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(texts[0], allowed_mentions=EVERYBODY)
        await interaction.edit_original_response(content=texts[1], allowed_mentions=EVERYBODY)
        followed = await interaction.followup.send(texts[2], wait=True, allowed_mentions=EVERYBODY, ephemeral=True)
        await followed.edit(content=texts[3], allowed_mentions=EVERYBODY)
        await interaction.followup.send(texts[4], allowed_mentions=EVERYBODY)

    mouth.replies.append(answer)
    asked = await fake.command("say")
    await asked.changed(5)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(403, times=None), id="403"),
        pytest.param(too_many(0.001, times=None), id="429"),
        pytest.param(too_many(0.001, via=False, times=None), id="429 of Cloudflare"),
        pytest.param(too_many(0.001, scope="global", times=None), id="429 for everything"),
        pytest.param(Fault(401, path=r"/webhooks/.*|/interactions/.*", times=None), id="401 of interactions"),
    ],
)
async def test_a_storm_of_refusals_ends(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    """Whoever calls, however many at once, in channels and for commands: at most a hundred calls, then a sentence that says why."""
    async with _mouth() as (fake, mouth):
        before = len(fake.calls)
        fake.goes_wrong(fault)
        on_interactions = "webhooks" in fault.path
        interaction = await _held_interaction(fake, mouth) if on_interactions else None
        outcomes: list[BaseException | None] = []

        async def knock() -> None:
            for _ in range(12):
                try:
                    await (mouth.lounge.send("x") if interaction is None else interaction.followup.send("x"))
                except (discord.HTTPException, Silenced) as exc:
                    outcomes.append(exc)

        await asyncio.gather(*(knock() for _ in range(25)))
        further = len(fake.calls) - before
        silenced = [outcome for outcome in outcomes if isinstance(outcome, Silenced)]
        record_property("calls after the first refusal", further)
        assert 10 <= further <= LIMIT
        assert "calls of the last ten minutes" in str(silenced[-1])
        assert mouth.is_ready()
        assert not mouth.is_closed()


async def _held_interaction(fake: FakeDiscord, mouth: Mouth) -> discord.Interaction:
    held: asyncio.Future[discord.Interaction] = asyncio.get_running_loop().create_future()

    async def hold(interaction: discord.Interaction) -> None:
        held.set_result(interaction)

    mouth.replies.append(hold)
    await fake.command("say")
    return await asyncio.wait_for(held, 20)


async def test_a_refused_token_stops_the_bot_at_once() -> None:
    """One 401, and not one call more, of whatever kind."""
    async with _mouth() as (fake, mouth):
        fake.fails(401, times=None)
        before = len(fake.calls)
        with pytest.raises(discord.HTTPException):
            await mouth.lounge.send("x")
        for _ in range(20):
            with pytest.raises(Silenced, match="TROUPE_BOT_TOKEN"):
                await mouth.lounge.send("x")
        assert len(fake.calls) - before == 1


async def test_a_rate_limit_is_waited_for_and_the_message_arrives_once() -> None:
    """Also where somebody else asks meanwhile: nobody calls before the time is over."""
    async with _mouth() as (fake, mouth):
        limited = fake.goes_wrong(too_many(0.2, method="POST", path=r"/channels/.*"))
        await asyncio.gather(*(mouth.lounge.send(f"line {number}") for number in range(5)))
        assert limited.times == 0
        assert sorted(message["content"] for message in fake.spoken()) == [f"line {number}" for number in range(5)]
        assert [status for method, path, status, _ in fake.calls if method == "POST" and path.endswith("/messages")].count(429) == 1


async def test_files_are_not_sent() -> None:
    """Nobody can tell what they would say."""
    async with _mouth() as (fake, mouth):
        with pytest.raises(Unsendable):
            await mouth.lounge.send("look", file=discord.File(io.BytesIO(b"@everyone"), "a.txt"))
        assert fake.sent == []
