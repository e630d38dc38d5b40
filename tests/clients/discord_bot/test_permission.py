"""What the bot does where it may not do everything."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clients.discord_bot.outbox import is_final
from tests.clients.discord_bot.fake_discord import ATTIC, BOB, BOT, LOUNGE, discord_running
from tests.clients.discord_bot.scene import Scene, made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
SEND, READ, SEND_IN_THREADS = 1 << 11, 1 << 16, 1 << 38


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        discord_running() as discord,
        serving(StubGateway()) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot) as scene,
    ):
        yield scene


async def test_where_it_may_not_write_it_neither_types_nor_asks(scene: Scene) -> None:
    """However many people mention it there: nothing is spent and nothing refused, and elsewhere it speaks on."""
    await scene.discord.deny(SEND)
    for number in range(3):
        await scene.discord.say(f"{MENTION} {number}", who=BOB + 1_000 + number)
    await scene.discord.say(f"{MENTION} hi", channel=ATTIC)
    await scene.discord.answers(1)
    assert scene.discord.typed_in == [ATTIC]
    assert len(scene.gateway.asked) == 1


@pytest.mark.parametrize(("denied", "speaks_in"), [(SEND, "thread"), (SEND_IN_THREADS, "channel")])
async def test_a_thread_has_a_right_of_its_own(scene: Scene, denied: int, speaks_in: str) -> None:
    """Who may write into a channel's threads may not yet write into the channel, nor the other way round."""
    thread = await scene.discord.open_thread()
    await scene.discord.deny(denied)
    places = {"thread": thread, "channel": LOUNGE}
    silent = next(place for name, place in places.items() if name != speaks_in)
    await scene.discord.say(f"{MENTION} hi", channel=silent)
    await scene.discord.say(f"{MENTION} hi", channel=places[speaks_in])
    [sent] = await scene.discord.answers(1)
    assert sent["channel_id"] == places[speaks_in]
    assert len(scene.gateway.asked) == 1


async def test_where_it_may_not_read_it_answers_the_message_alone_and_not_as_a_reply(scene: Scene) -> None:
    """Discord refuses replies there, and so the bot does not try one."""
    scene.discord.write("before", who=BOB)
    await scene.discord.deny(READ)
    await scene.discord.say(f"{MENTION} hi")
    [sent] = await scene.discord.answers(1)
    assert "message_reference" not in sent
    assert scene.prompt() == [{"role": "user", "content": "Alice: hi"}]
    assert [path for method, path, _, _ in scene.discord.calls if method == "GET" and path.endswith("/messages")] == []


async def test_a_reply_that_discord_refuses_is_said_all_the_same(scene: Scene) -> None:
    """Where the bot has just lost the right to read."""
    told = {"code": 160002, "message": "Cannot reply without permission to read message history"}
    scene.discord.fails(403, method="POST", path=rf"/channels/{LOUNGE}/messages", body=told)
    await scene.discord.say(f"{MENTION} hi")
    [said] = await scene.discord.said(1)
    assert said["content"] == "offside, as ever"


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        (403, 50013, True),
        (404, 10003, True),
        (400, 50035, True),
        (400, 240000, True),
        (400, 200000, True),
        (400, 50083, False),
        (500, 0, False),
    ],
)
def test_what_discord_never_takes_is_not_tried_again(status: int, code: int, final: bool) -> None:
    """Or people would see the bot type for ten minutes and say nothing."""
    assert is_final(status, code) is final
