"""The bot through the real discord.py, between a fake Discord and a stand-in gateway, both over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clients.discord_bot.attention import EARLY_S
from clients.discord_bot.command import serve
from clients.discord_bot.sentences import ASLEEP, BUSY, MISCONFIGURED, SPEECHLESS
from clients.discord_bot.settings import read_bot_settings
from clients.errors import BadSettings
from tests.clients.discord_bot.fake_discord import (
    ATTIC,
    BOB,
    BOT,
    BOT_ROLE,
    GUILD,
    LOUNGE,
    OTHER_BOT,
    PRIVATE,
    TOKEN,
    discord_running,
)
from tests.clients.discord_bot.scene import Scene, in_the_past, made_bot, online
from tests.clients.stub_gateway import KEY, StubGateway, error_body, serving

MENTION = f"<@{BOT}>"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        discord_running() as discord,
        serving(StubGateway()) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot) as scene,
    ):
        yield scene


async def test_a_mention_is_answered_in_reply_and_can_ping_nobody(scene: Scene) -> None:
    """One answer, as a reply to the message, typing shown, every kind of mention and embed switched off."""
    asked = await scene.discord.say(f"{MENTION} who won?")
    [sent] = await scene.discord.answers(1)
    assert (sent["content"], sent["channel_id"]) == ("offside, as ever", LOUNGE)
    assert str(sent["message_reference"]["message_id"]) == asked["id"]
    assert sent["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert sent["flags"] == 4
    assert scene.discord.typed_in == [LOUNGE]
    assert scene.prompt() == [{"role": "user", "content": "Alice: who won?"}]
    assert (scene.gateway.asked[0]["model"], scene.gateway.asked[0]["max_tokens"]) == ("zizou", 50)


@pytest.mark.parametrize(
    "ignored",
    [
        pytest.param({"text": "just talking"}, id="nobody addressed it"),
        pytest.param({"text": f"{MENTION} hi", "who": OTHER_BOT}, id="another bot"),
        pytest.param({"text": f"{MENTION} hi", "who": BOT}, id="itself"),
        pytest.param({"text": f"{MENTION} hi", "webhook_id": "100000000000000077"}, id="a webhook"),
        pytest.param({"text": f"{MENTION} hi", "channel": PRIVATE}, id="a direct message"),
        pytest.param({"text": f"{MENTION} hi", "type": 7}, id="a system message"),
        pytest.param({"text": "@everyone hi", "mention_everyone": True}, id="everyone"),
        pytest.param({"text": f"you call it with `{MENTION}`"}, id="code"),
        pytest.param({"text": f"<@&{GUILD + 5}> hi", "mention_roles": [str(GUILD + 5)]}, id="another role"),
    ],
)
async def test_what_the_bot_leaves_alone(scene: Scene, ignored: dict[str, Any]) -> None:
    """The gateway is not even asked; the next mention is answered."""
    await scene.discord.say(**ignored)
    await scene.discord.say(f"{MENTION} now you")
    await scene.discord.answers(1)
    assert len(scene.gateway.asked) == 1
    assert scene.prompt()[-1]["content"].endswith("Alice: now you")


async def test_the_bots_own_role_is_as_good_as_its_name(scene: Scene) -> None:
    """Discord offers both to whoever types an @; the model reads neither."""
    await scene.discord.say(f"<@&{BOT_ROLE}> who won?")
    await scene.discord.answers(1)
    assert scene.prompt() == [{"role": "user", "content": "Alice: who won?"}]


async def test_a_message_that_is_delivered_twice_is_answered_once(scene: Scene) -> None:
    """Discord repeats events when a connection is resumed."""
    asked = await scene.discord.say(f"{MENTION} first")
    await scene.discord.tell(asked)
    await scene.discord.answers(1)
    await scene.discord.tell(asked)
    await scene.discord.say(f"{MENTION} second")
    sent = await scene.discord.answers(2)
    assert len(scene.gateway.asked) == 2
    assert sent[0]["nonce"] == f"{int(asked['id']):x}-0-0"


@pytest.mark.parametrize("output", ["@everyone come", "@here", f"<@&{BOB}> <@{BOB}>", f"<@{BOB}> look: https://example.org"])
async def test_no_output_of_the_model_pings_anybody(scene: Scene, output: str) -> None:
    """What pings everybody is another sign now, the rest is sent as it is, and Discord is told to parse nothing in it."""
    scene.gateway.answer = output
    await scene.discord.say(MENTION)
    [sent] = await scene.discord.answers(1)
    assert sent["content"] == output.replace("@everyone", "＠everyone").replace("@here", "＠here")
    assert sent["allowed_mentions"]["parse"] == []
    assert not sent["allowed_mentions"].keys() & {"users", "roles"}


async def test_a_long_answer_comes_in_parts(scene: Scene) -> None:
    """Each fits Discord's limit, only the first is a reply, and none may ping."""
    scene.gateway.answer = "Nobody passes like him. " * 200
    await scene.discord.say(f"{MENTION} tell me")
    sent = await scene.discord.answers(3)
    assert all(len(part["content"]) < 2000 and part["content"].endswith("him.") for part in sent)
    assert ["message_reference" in part for part in sent] == [True, False, False]
    assert all(part["allowed_mentions"]["parse"] == [] for part in sent)


async def test_a_bare_mention_speaks_to_what_was_said(scene: Scene) -> None:
    """The channel's last messages are the question; other bots' are not among them."""
    scene.discord.write("they lost again", who=BOB)
    scene.discord.write("now playing", who=OTHER_BOT)
    await scene.discord.say(MENTION)
    await scene.discord.answers(1)
    assert scene.prompt() == [{"role": "user", "content": "Bob: they lost again"}]


async def test_a_bare_mention_in_an_empty_channel_is_answered_too(scene: Scene) -> None:
    """The model is never asked with nothing at all."""
    await scene.discord.say(MENTION)
    await scene.discord.answers(1)
    assert scene.prompt() == [{"role": "user", "content": "Alice: @zizou"}]


async def test_other_channels_never_reach_the_prompt(scene: Scene) -> None:
    """Neither by history nor through a reference into another channel."""
    secret = scene.discord.write("the attic's secret", channel=ATTIC)
    scene.discord.write("a private secret", channel=PRIVATE)
    await scene.discord.say(f"{MENTION} well?", reply_to=secret)
    await scene.discord.say(f"{MENTION} and?", message_reference={"type": 1, "message_id": secret["id"], "channel_id": str(ATTIC)})
    await scene.discord.answers(2)
    assert len(scene.gateway.asked) == 2
    assert "secret" not in str(scene.gateway.asked)


async def test_a_reply_to_the_bot_carries_its_chain_in_order(scene: Scene) -> None:
    """Oldest first, the bot's own words as the assistant's, however much was said in between."""
    first = scene.discord.write("who is best?", who=BOB)
    mine = scene.discord.write("me.", who=BOT, reply_to=first)
    for number in range(40):
        scene.discord.write(f"noise {number}", who=BOB)
    await scene.discord.say("prove it", reply_to=mine)
    await scene.discord.answers(1)
    assert scene.prompt() == [
        {"role": "user", "content": "Bob: who is best?"},
        {"role": "assistant", "content": "me."},
        {"role": "user", "content": "Bob: noise 37\nBob: noise 38\nBob: noise 39\nAlice: prove it"},
    ]


async def test_a_chain_ends_at_a_deleted_message(scene: Scene) -> None:
    """What can still be read is enough."""
    gone = scene.discord.write("he is the best", who=BOB)
    orphan = scene.discord.write("as he said", who=BOB, reply_to=gone)
    scene.discord.delete(gone)
    for number in range(40):
        scene.discord.write(f"noise {number}", who=BOB)
    await scene.discord.say(f"{MENTION} true?", reply_to=orphan)
    await scene.discord.answers(1)
    assert scene.prompt()[0]["content"].startswith("Bob: as he said\nBob: noise 36")


async def test_a_question_wakes_its_engine_before_it_is_asked(scene: Scene) -> None:
    """Once for each message that will be answered, and for no other."""
    await scene.discord.say("just talking")
    await scene.discord.say(f"{MENTION} who won?")
    await scene.discord.answers(1)
    await asyncio.wait_for(scene.gateway.was_warmed.wait(), 20)
    assert scene.gateway.warmed == ["zizou"]


async def test_typing_where_the_bot_was_just_addressed_wakes_its_engine(scene: Scene) -> None:
    """Nowhere else: not in another channel, nor before anybody talked to it, nor when the bot itself types."""
    await scene.discord.types()
    await scene.discord.say(f"{MENTION} who won?")
    await scene.discord.answers(1)
    await asyncio.wait_for(scene.gateway.was_warmed.wait(), 20)
    await scene.discord.types(channel=ATTIC)
    await scene.discord.types(who=BOT)
    scene.gateway.was_warmed.clear()
    assert scene.gateway.warmed == ["zizou"]
    await scene.discord.types()
    await asyncio.wait_for(scene.gateway.was_warmed.wait(), 20)
    assert scene.gateway.warmed == ["zizou"] * 2


@pytest.mark.parametrize("can_warm", [False, True])
async def test_an_answer_does_not_depend_on_warming(scene: Scene, can_warm: bool) -> None:
    """A server without the route, or one that knows no such model there, is asked all the same."""
    scene.gateway.can_warm = can_warm
    scene.gateway.models = ("zizou@2",) if can_warm else scene.gateway.models
    await scene.discord.say(f"{MENTION} hi")
    [sent] = await scene.discord.answers(1)
    assert sent["content"] == (MISCONFIGURED if can_warm else "offside, as ever")


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (503, "server_is_overloaded", BUSY),
        (503, "deadline_exceeded", ASLEEP),
        (500, None, ASLEEP),
        (404, "model_not_found", MISCONFIGURED),
        (401, "x", MISCONFIGURED),
    ],
)
async def test_a_failing_gateway_is_told_in_words(scene: Scene, status: int, code: str | None, sentence: str) -> None:
    """People read one friendly sentence with nothing of the reason in it; the gateway is asked once; the bot lives on."""
    scene.gateway.failure = (status, error_body("secret reason", code), {})
    await scene.discord.say(f"{MENTION} hello?")
    assert [sent["content"] for sent in await scene.discord.answers(1)] == [sentence]
    assert len(scene.gateway.asked) == 1
    scene.gateway.failure = None
    await scene.discord.say(f"{MENTION} and now?")
    assert (await scene.discord.answers(2))[1]["content"] == "offside, as ever"
    assert scene.prompt() == [{"role": "user", "content": "Alice: hello?\nAlice: and now?"}]


async def test_an_empty_answer_is_not_sent_as_such(scene: Scene) -> None:
    """Discord refuses empty messages."""
    scene.gateway.answer = " "
    await scene.discord.say(MENTION)
    assert [sent["content"] for sent in await scene.discord.answers(1)] == [SPEECHLESS]


async def test_half_a_character_does_not_cost_the_answer(scene: Scene) -> None:
    """Nor is the model asked again and again for another one."""
    scene.gateway.answer = "goal \ud83d!"
    await scene.discord.say(MENTION)
    assert [sent["content"] for sent in await scene.discord.answers(1)] == ["goal ?!"]


async def test_a_clock_that_is_behind_is_a_line_in_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Once, as nobody is answered then, and nobody would know why."""
    for _ in range(2):
        await scene.discord.say(f"{MENTION} hi", id=in_the_past(-2 * EARLY_S))
    await scene.discord.say(f"{MENTION} hi")
    await scene.discord.answers(1)
    assert len([record for record in caplog.records if "clock is" in record.message]) == 1


async def test_missing_permissions_cost_context_or_the_answer_and_not_the_bot(scene: Scene) -> None:
    """Without history it answers from the message alone; a send that is refused is tried once."""
    scene.discord.write("before", who=BOB)
    scene.discord.history_refused = True
    scene.discord.send_refused = True
    await scene.discord.say(f"{MENTION} hi")
    await scene.discord.answers(1)
    scene.discord.send_refused = False
    await scene.discord.say(f"{MENTION} again")
    assert len(await scene.discord.answers(2)) == 2
    assert scene.prompt(0) == [{"role": "user", "content": "Alice: hi"}]


async def test_a_refused_token_is_one_sentence(tmp_path: Path) -> None:
    """The sentence names the variable and not the token."""
    async with discord_running(), made_bot(tmp_path, "http://127.0.0.1:1") as bot:
        with pytest.raises(BadSettings, match="TROUPE_BOT_TOKEN") as caught:
            await bot.run_forever("wrong-token")
    assert "wrong-token" not in str(caught.value)


async def test_without_a_gateway_the_bot_still_speaks(tmp_path: Path) -> None:
    """It says that it cannot find its voice."""
    nowhere = StubGateway(url="http://127.0.0.1:1")
    async with discord_running() as discord, made_bot(tmp_path, nowhere.url) as bot, online(discord, nowhere, bot):
        await discord.say(f"{MENTION} hi")
        assert [sent["content"] for sent in await discord.answers(1)] == [ASLEEP]


async def test_the_command_is_the_bot_of_its_settings_until_interrupted(tmp_path: Path) -> None:
    """From settings to an answer; an interrupt closes both connections and leaves nothing behind."""
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        settings = read_bot_settings(
            bot_token=TOKEN, bot_model="zizou", api_key=KEY, url=gateway.url, bot_max_tokens=9, home=tmp_path, bot_state_key=None
        )
        running = asyncio.create_task(serve(settings))
        await discord.online()
        await discord.say(f"{MENTION} hi")
        await discord.answers(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert gateway.asked[0]["max_tokens"] == 9
