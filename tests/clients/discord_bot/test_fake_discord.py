"""The fake Discord, seen through the real discord.py: what it does to a connection, and that the library takes it for the real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
from discord import app_commands, ui

from tests.clients.discord_bot.fake_discord import ALICE, ATTIC, BOB, GUILD, LOUNGE, PRIVATE, TOKEN, WAIT_S, FakeDiscord, discord_running
from tests.clients.discord_bot.fake_discord.faults import Buckets

FAR_GUILD, TAVERN = GUILD + (1 << 22), GUILD + (1 << 22) + 1


class Listening(discord.AutoShardedClient):
    """Notes what it hears, in order."""

    def __init__(self, **options: Any) -> None:
        intents = discord.Intents(guilds=True, messages=True, reactions=True, message_content=True)
        super().__init__(intents=intents, guild_ready_timeout=0.05, shard_count=options.pop("shard_count", 1), **options)
        self.heard: list[str] = []
        self.news = asyncio.Condition()
        self.tree = app_commands.CommandTree(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Discord wants five seconds between two; the fake does not."""

    async def on_message(self, message: discord.Message) -> None:
        await self.note(message.content)

    async def on_raw_message_edit(self, edit: discord.RawMessageUpdateEvent) -> None:
        await self.note(f"edited: {edit.message.content}")

    async def on_raw_message_delete(self, gone: discord.RawMessageDeleteEvent) -> None:
        await self.note("deleted")

    async def on_raw_reaction_add(self, reaction: discord.RawReactionActionEvent) -> None:
        await self.note(f"+{reaction.emoji} by {reaction.user_id} on {reaction.message_author_id}")

    async def on_raw_reaction_remove(self, reaction: discord.RawReactionActionEvent) -> None:
        await self.note(f"-{reaction.emoji} by {reaction.user_id}")

    async def note(self, what: str) -> None:
        async with self.news:
            self.heard.append(what)
            self.news.notify_all()

    async def has_heard(self, last: str) -> list[str]:
        """Everything, once `last` was heard."""
        async with asyncio.timeout(WAIT_S), self.news:
            await self.news.wait_for(lambda: last in self.heard)
        return self.heard


@asynccontextmanager
async def _listening(fake: FakeDiscord, **options: Any) -> AsyncIterator[Listening]:
    async with Listening(**options) as client:
        running = asyncio.create_task(client.start(TOKEN))
        await fake.online(options.get("shard_count", 1))
        await asyncio.wait_for(client.wait_until_ready(), WAIT_S)
        yield client
        await client.close()
        await running


@pytest.mark.parametrize("how", ["cut", "close 4000", "close 1012", "op 7", "op 9"])
async def test_a_lost_connection_is_resumed_and_nothing_is_missed_or_heard_twice(how: str) -> None:
    """At the address and from the number that the bot was given; what was said meanwhile comes in order."""
    async with discord_running() as fake, _listening(fake) as client:
        await fake.say("before")
        await client.has_heard("before")
        match how.split():
            case ["cut"]:
                await fake.gateway.drop()
            case ["close", code]:
                await fake.gateway.drop(int(code))
            case ["op", "7"]:
                await fake.gateway.ask_to_reconnect()
            case _:
                await fake.gateway.invalidate(resumable=True)
        await fake.say("meanwhile")
        await fake.say("later")
        assert await client.has_heard("later") == ["before", "meanwhile", "later"]
        assert len(fake.gateway.identified) == 1
        assert [each["session_id"] for each in fake.gateway.resumed] == ["session-1"]


@pytest.mark.parametrize("how", ["close 4009", "op 9"])
async def test_a_session_that_is_over_is_begun_anew(how: str) -> None:
    """What was said while there was none is lost, as with the real one."""
    async with discord_running() as fake, _listening(fake) as client:
        await (fake.gateway.drop(4009) if how == "close 4009" else fake.gateway.invalidate(resumable=False))
        await fake.say("unheard")
        await fake.online(2)
        await fake.say("heard")
        assert await client.has_heard("heard") == ["heard"]


async def test_events_are_repeated_at_a_resume_where_that_is_asked_for() -> None:
    """As happens when the bot's number was not the last that it got."""
    async with discord_running() as fake, _listening(fake) as client:
        for text in ("one", "two"):
            await fake.say(text)
        await client.has_heard("two")
        fake.gateway.repeats = 2
        await fake.gateway.drop()
        await fake.say("three")
        assert await client.has_heard("three") == ["one", "two", "one", "two", "three"]


async def test_a_connection_without_heartbeats_is_given_up_and_resumed() -> None:
    """It looks open and nothing comes any more."""
    async with discord_running() as fake:
        fake.gateway.heartbeat_s = 0.05
        async with _listening(fake, heartbeat_timeout=0.3) as client:
            fake.gateway.answers_heartbeats = False
            async with asyncio.timeout(WAIT_S):
                await fake.gateway.until(lambda: bool(fake.gateway.resumed))
            fake.gateway.answers_heartbeats = True
            await fake.say("still there")
            assert await client.has_heard("still there")


@pytest.mark.parametrize(("code", "error"), [(4004, discord.ConnectionClosed), (4014, discord.PrivilegedIntentsRequired)])
async def test_who_is_not_let_in_stays_out(code: int, error: type[Exception]) -> None:
    """The library gives up at once."""
    async with discord_running() as fake, Listening() as client:
        fake.gateway.refuses_with = code
        with pytest.raises(error):
            await client.start(TOKEN)


async def test_each_shard_hears_its_own_guilds() -> None:
    """Once; also after one of the connections was lost."""
    async with discord_running() as fake:
        await fake.invite(FAR_GUILD, "Far away", {TAVERN: "tavern"})
        async with _listening(fake, shard_count=2) as client:
            assert {guild.id: guild.shard_id for guild in client.guilds} == {GUILD: (GUILD >> 22) % 2, FAR_GUILD: (FAR_GUILD >> 22) % 2}
            assert len(set(client.shards)) == 2
            await fake.say("near")
            await fake.say("far", channel=TAVERN)
            await client.has_heard("far")
            await client.has_heard("near")
            await fake.gateway.drop()
            await fake.say("near again")
            await fake.say("far again", channel=TAVERN)
            await client.has_heard("near again")
            await client.has_heard("far again")
            assert len(client.heard) == 4


async def test_what_people_do_to_messages_is_told() -> None:
    """Edits, reactions given and taken back, deletions; in threads as in channels."""
    async with discord_running() as fake, _listening(fake) as client:
        message = await fake.say("tpyo")
        await client.has_heard("tpyo")
        await fake.edit(message, "typo")
        await fake.react(message, "👍", who=BOB)
        await fake.react(message, "👍", who=BOB, removed=True)
        thread = await fake.open_thread("about it", starter=message)
        await fake.say("in the thread", channel=thread)
        await fake.take_back(message)
        await fake.say("private", channel=PRIVATE)
        told = await client.has_heard("private")
        reacted = [f"+👍 by {BOB} on {ALICE}", f"-👍 by {BOB}"]
        assert told == ["tpyo", "edited: typo", *reacted, "in the thread", "deleted", "private"]
        opened = client.get_channel(thread)
        assert isinstance(opened, discord.Thread)
        assert opened.parent_id == LOUNGE
        assert [each.type for each in [each async for each in opened.history()]][-1] is discord.MessageType.thread_starter_message


async def test_a_send_whose_answer_was_lost_is_made_once() -> None:
    """discord.py tries again after a 5xx; by its nonce the second is the first."""
    async with discord_running() as fake, _listening(fake) as client:
        fake.fails(502, method="POST", path=r"/channels/\d+/messages", stored=True)
        attic = client.get_partial_messageable(ATTIC)
        sent = await attic.send("once", nonce="n-1")
        assert [message["id"] for message in fake.spoken()] == [str(sent.id)]
        assert len(fake.sent) == 2
        with pytest.raises(discord.HTTPException, match="Invalid Form Body"):
            await attic.send("a reply to nothing", reference=discord.MessageReference(message_id=5, channel_id=ATTIC))


async def test_rate_limits_are_those_that_the_library_knows() -> None:
    """It reads the headers and waits by itself: nobody has to refuse it."""
    async with discord_running() as fake, _listening(fake) as client:
        fake.rest.buckets = Buckets(3, 0.3)
        lounge = client.get_partial_messageable(LOUNGE)
        for number in range(8):
            await lounge.send(f"{number}")
        assert len(fake.spoken()) == 8
        assert fake.rest.buckets.exceeded == 0


class _Form(ui.Modal, title="A key"):
    key: ui.TextInput["_Form"] = ui.TextInput(label="Key")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"got {self.key.value}", ephemeral=True)


class _Buttons(ui.View):
    @ui.button(label="Yes")
    async def yes(self, interaction: discord.Interaction, button: ui.Button["_Buttons"]) -> None:
        await interaction.response.edit_message(content=f"{interaction.user.display_name} said yes", view=None)


async def test_commands_forms_buttons_and_choices() -> None:
    """As people use them: answers seen by all or by one, at once or later, and edited."""
    async with discord_running() as fake, _listening(fake) as client:
        group = app_commands.Group(name="troupe", description="All of it.")

        @group.command(name="link", description="A form.")
        async def link(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(_Form())

        @group.command(name="ask", description="Buttons.")
        async def ask(interaction: discord.Interaction, times: int, why: str) -> None:
            await interaction.response.send_message(f"{times} times {why}", view=_Buttons())

        @ask.autocomplete("why")
        async def offered(_interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=typed + end, value=typed + end) for end in ("!", "?")]

        @group.command(name="think", description="Later.")
        async def think(interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True)
            await interaction.edit_original_response(content="thought")
            await interaction.followup.send("and more")
            assert interaction.permissions.manage_guild

        client.tree.add_command(group, guild=discord.Object(GUILD))
        await client.tree.sync(guild=discord.Object(GUILD))
        filled = await (await fake.submit(await fake.command("troupe link"), {"Key": "s3cret"})).answered()
        assert (filled.text, filled.is_ephemeral, fake.spoken()) == ("got s3cret", True, [])
        asked = await (await fake.command("troupe ask", times=2, why="me?")).answered()
        assert asked.text == "2 times me?"
        assert (await (await fake.press(asked.messages[0], "Yes", who=BOB)).answered()).text == "Bob said yes"
        assert await fake.choices("troupe ask", "why", "so") == ["so!", "so?"]
        thought = await (await fake.command("troupe think")).answered(2)
        assert [message["content"] for message in thought.messages] == ["thought", "and more"]
        with pytest.raises(LookupError):
            await fake.command("troupe nothing")
