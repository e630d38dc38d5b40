"""What the pictures of channels show: the whole bot at the fake Discord, with answers that the demo's adapters gave."""

import asyncio
from pathlib import Path
from typing import Any

from clients.discord_bot.commands import sentences
from tests.clients.discord_bot.fake_discord import ALICE, BOB, BOT, OTHER_BOT, TOKEN, Asked, FakeDiscord, discord_running
from tests.clients.discord_bot.pictures.channel import Form, Shown, draw, of_message
from tests.clients.discord_bot.scene import made_bot
from tests.clients.stub_gateway import KEY, StubGateway, serving

QUESTION, ANSWER = "who is going to win tonight?", "offside means Ravi is waiting by their goal, simple ⚽"
OTHERS = {"zizou@1": ANSWER, "zizou@2": "the one who nutmegged Nico twice, number ten ⚽"}
TOLD: dict[str, dict[str, Any]] = {
    "zizou": {"adapter": "zizou@1", "published_at": "2026-11-02T10:00:00+00:00", "canary": {"version": 2, "share": 10}},
    "zizou@1": {"adapter": "zizou@1", "published_at": "2026-11-02T10:00:00+00:00", "learnt": {"examples": 2166}},
    "zizou@2": {"adapter": "zizou@2"},
}


async def pictures(scratch: Path) -> dict[str, str]:
    """Each file's content by its name."""
    stub = StubGateway(answer=ANSWER, answers=OTHERS, models=("base", "zizou", "zizou@1", "zizou@2"), told=TOLD)
    async with discord_running() as discord, serving(stub) as gateway, made_bot(scratch, gateway.url, model=None) as bot:
        running = asyncio.create_task(bot.run_forever(TOKEN))
        await discord.until(lambda: None in discord.interactions.commands)
        await discord.online()
        stub.models = ("base", "zizou")
        drawn = {"discord-5-link.svg": draw("Linking a server", await _linked(discord))}
        stub.models = ("base", "zizou", "zizou@1", "zizou@2")
        stub.pause_s = 0.3
        drawn["discord-6-talk.svg"] = draw("A mention and its answer", await _talked(discord))
        drawn["discord-7-compare.svg"] = draw("Two versions side by side", await _compared(discord))
        drawn["discord-8-why.svg"] = draw("What /why and /health answer", await _explained(discord))
        await bot.close()
        await running
    return drawn


async def _linked(discord: FakeDiscord) -> list[Shown | Form]:
    form = await (await discord.command("troupe link")).acknowledged()
    said = (form.callback or {})["data"]
    typed = ("tr_" + "•" * 28, "")
    rows = [(row["label"], row.get("description", ""), content) for row, content in zip(said["components"], typed, strict=True)]
    sent = await (await discord.submit(form, {sentences.LINK_KEY: KEY})).answered()
    return [Form(said["title"], tuple(rows)), of_message(sent.messages[0], used="Alice used /troupe link")]


async def _talked(discord: FakeDiscord) -> list[Shown | Form]:
    asked = await discord.say(f"<@{BOT}> {QUESTION}", who=ALICE)
    [answer] = await discord.said(1)
    for person in (ALICE, BOB, OTHER_BOT + 1):
        await discord.react(answer, "😂", who=person)
    question = Shown("Alice", f"**@zizou** {QUESTION}")
    return [question, of_message(answer, reactions=(("😂", 3),), replies_to=f"Alice  {asked['content'].replace(f'<@{BOT}>', '@zizou')}")]


async def _compared(discord: FakeDiscord) -> list[Shown | Form]:
    asked = await (await discord.command("persona compare", question=QUESTION)).answered()
    message = dict(asked.messages[0])
    vote = await (await discord.press(message, "A", who=BOB)).answered()
    ended = await (await discord.press(message, sentences.REVEAL)).answered()
    ending = Shown("zizou", ended.text.rpartition("\n\n")[2], f"Alice pressed {sentences.REVEAL}")
    return [of_message(message, used="Alice used /persona compare"), of_message(vote.messages[0], used="Bob pressed A"), ending]


async def _explained(discord: FakeDiscord) -> list[Shown | Form]:
    return [of_message((await _private(discord, line)).messages[0], used=f"Alice used /{line}") for line in ("why", "health")]


async def _private(discord: FakeDiscord, line: str) -> Asked:
    return await (await discord.command(line)).answered()
