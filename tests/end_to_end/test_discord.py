"""The bot's whole way: the real discord.py in a Discord that is not, the real gateway, the real engine. From a mention to a score."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from adapters.evaluation.voices import VoiceClassifier, held_out_messages
from tests.clients.discord_bot.fake_discord import ALICE, BOB, BOT, GUILD, LOUNGE, discord_running
from tests.clients.discord_bot.scene import Scene, made_bot, online
from tests.clients.stub_gateway import StubGateway
from tests.end_to_end.sleeper import Sleeper, sleeper
from tests.end_to_end.stack import ADMIN_KEY, API_KEY, COMMUNITIES

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MENTION = f"<@{BOT}>"
QUESTIONS = (
    "who is going to win tonight?", "what did you do last weekend?", "tell me a joke", "did you see the game?",
    "my computer is slow again", "what should I eat for dinner?", "any plans for friday?", "why is everyone so quiet?",
    "that was terrible", "who is the best of all time?",
)  # fmt: skip
TYPING_LASTS_S = 10.0


@pytest.fixture(scope="module")
def sleeping(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    home = tmp_path_factory.mktemp("discord") / "home"
    shutil.copytree(demo, home / "demo" / demo.name)
    with sleeper(home) as running:
        yield running


@asynccontextmanager
async def talking(sleeping: Sleeper, home: Path) -> AsyncIterator[Scene]:
    async with (
        discord_running() as discord,
        made_bot(home, sleeping.stack.url, key=API_KEY) as bot,
        online(discord, StubGateway(url=sleeping.stack.url), bot) as scene,
    ):
        yield scene


async def test_a_mention_wakes_the_engine_and_is_answered(
    sleeping: Sleeper, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The bot types from the first moment until the answer is there; what it says is the community's version, and it knows the wake."""
    await asyncio.to_thread(sleeping.wait_for, "asleep")
    async with talking(sleeping, tmp_path) as scene:
        typed: list[float] = []

        async def watch() -> None:
            while True:
                await scene.discord.until(lambda: len(scene.discord.typed_in) > len(typed), 300)
                typed.append(time.monotonic())

        watching = asyncio.create_task(watch())
        asked = time.monotonic()
        await scene.discord.say(f"{MENTION} who is going to win tonight?")
        await scene.discord.until(lambda: bool(scene.discord.sent), 300)
        answered = time.monotonic()
        watching.cancel()
        [said] = await scene.discord.said(1)
        answer = None
        while answer is None or await scene.bot.store.handled.unfinished():
            answer = await scene.bot.store.answers.of_sent(int(said["id"]))
    wake = (await asyncio.to_thread(sleeping.engine))["last_wake_seconds"]
    record_property("a mention at a sleeping engine: seconds to the answer, and to the wake", (round(answered - asked, 2), wake))
    assert answer.adapter == "zizou@1"
    assert answer.wake_seconds is not None
    gaps = [later - earlier for earlier, later in zip([asked, *typed], [*typed, answered], strict=True)]
    assert typed
    assert max(gaps) < TYPING_LASTS_S


async def test_replies_are_in_voice_and_their_reactions_become_a_score(sleeping: Sleeper, tmp_path: Path) -> None:
    """Ten mentions; people react to seven of the answers. The version's score knows all ten, though none counts before its
    day is over, and none of the words."""
    async with talking(sleeping, tmp_path) as scene:
        for number, question in enumerate(QUESTIONS):
            await scene.discord.say(f"{MENTION} {question}", who=10**17 + 100 + number)
            await scene.discord.said(number + 1)
        said = scene.discord.spoken(LOUNGE)
        for answer in said[:7]:
            await scene.discord.react(answer, "😂", who=ALICE)
        await scene.discord.react(said[0], "👍", who=BOB)
        while ((due := await scene.bot.store.feedback.due(GUILD, "zizou", 20)) and sum(each.people for each in due) < 8) or len(due) < len(
            said
        ):
            pass
        await scene.bot.reporting.round()
        assert await scene.bot.store.feedback.due(GUILD, "zizou", 20) == []
    classifier = VoiceClassifier.fit({name: held_out_messages(sleeping.stack.demo / "exports" / name) for name in COMMUNITIES})
    voices = [classifier.classify(answer["content"]) for answer in said]
    assert voices.count("zizou") >= 7, [answer["content"] for answer in said]
    [score] = await asyncio.to_thread(_scores, sleeping)
    assert (score["adapter"], score["answers"], score["reacted"], score["waiting"]) == ("zizou@1", 10, 7, 10)


def _scores(sleeping: Sleeper) -> list[dict[str, object]]:
    answer = httpx.get(
        f"{sleeping.stack.url}/admin/v1/feedback/scores",
        params={"community": "zizou"},
        headers={"Authorization": f"Bearer {ADMIN_KEY}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    versions: list[dict[str, object]] = answer.json()["versions"]
    return versions
