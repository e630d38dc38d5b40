"""The commands as Discord sees them: told once, for servers only, and never a failure without a word."""

from pathlib import Path
from typing import Any

import pytest

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.tree import PER_PERSON
from clients.discord_bot.filter import Filter
from clients.discord_bot.limits import Limits
from tests.clients.discord_bot.commands.scene import MEMBER, FewLinks, OneMore, Scene, asking_of, client_online, commands_online
from tests.clients.discord_bot.fake_discord import BOB, GUILD, LOUNGE, PRIVATE

PUBLIC = {"persona", "roll", "why", "quiet", "optout", "optin", "forgetme", "budget", "health"}
UPDATES = r"/applications/\d+/commands"


async def test_discord_is_told_of_the_commands_once_and_again_when_they_change(scene: Scene, tmp_path: Path) -> None:
    """One call for all servers; a bot that starts anew with the same commands makes none."""
    registered = scene.discord.interactions.commands
    assert set(registered) == {None}
    names = {command["name"] for command in registered[None] if command["type"] == 1}
    assert names == PUBLIC | {"troupe"}
    desk = Desk(scene.store, FewLinks(scene.gateway.url), OneMore(), asking_of(scene.store, tmp_path), Limits(), Filter(), 50)
    async with client_online(scene.discord, desk, times=2) as second:
        assert (scene.client.published, second.published) == (1, 0)
        second.commands.remove_command("budget")
        assert await second.commands.publish(scene.store.facts)
    assert "budget" not in {command["name"] for command in registered[None]}


async def test_commands_are_for_servers_alone(scene: Scene) -> None:
    """Discord is told so, and a direct message that comes all the same gets a word and nothing else."""
    for command in scene.discord.interactions.commands[None]:
        assert (command["contexts"], command["integration_types"]) == ([0], [0]), command["name"]
    asked = await scene.discord.command("quiet", channel=PRIVATE)
    assert (await asked.answered()).text == sentences.ONLY_IN_SERVERS


@pytest.mark.parametrize("line", ["troupe link", "troupe unlink", "troupe channel", "troupe settings"])
async def test_who_does_not_manage_the_server_changes_nothing(scene: Scene, line: str) -> None:
    """The bot looks itself: an admin of Discord's may have shown the command to everybody."""
    asked = await scene.discord.command(line, who=BOB, permissions=MEMBER)
    assert (await asked.answered()).text == sentences.ONLY_ADMINS
    assert asked.is_ephemeral
    assert GUILD in scene.links.linked


async def test_the_admins_commands_are_offered_to_admins_only(scene: Scene) -> None:
    """By Discord, so that nobody else even sees them."""
    [troupe] = [command for command in scene.discord.interactions.commands[None] if command["name"] == "troupe"]
    assert int(troupe["default_member_permissions"]) == 1 << 5


async def test_a_bug_is_told_in_words_and_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The asker learns that it is not his fault; nothing of the cause is shown."""
    scene.again.bug = ValueError("a cause of ours")
    await scene.answered()
    asked = await scene.discord.command("roll")
    assert (await asked.answered()).text == sentences.WENT_WRONG
    assert "a cause of ours" in caplog.text


@pytest.mark.parametrize("line", ["persona show", "budget", "persona compare"])
async def test_a_server_without_a_link_is_told_how_to_get_one(tmp_path: Path, line: str) -> None:
    """Whoever asks, whatever for."""
    options: dict[str, Any] = {"question": "who?"} if "compare" in line else {}
    async with commands_online(tmp_path, linked=False) as scene:
        asked = await scene.discord.command(line, permissions=MEMBER, **options)
        assert (await asked.answered()).text == sentences.NOT_LINKED
        assert scene.gateway.asked == []


async def test_a_right_that_is_missing_is_named_as_such(scene: Scene) -> None:
    """It is for the server's admins to give, and not a bug."""
    scene.again.texts = ["ask Ravi"]
    await scene.answered()
    scene.discord.send_refused = True
    asked = await (await scene.discord.command("roll")).answered()
    assert asked.text == sentences.MAY_NOT


async def test_who_gives_commands_without_end_is_asked_to_wait(scene: Scene) -> None:
    """Others are not, and after a while he may again."""
    asked = [await (await scene.discord.command("health", who=BOB, permissions=MEMBER)).answered() for _ in range(PER_PERSON.burst + 1)]
    assert [each.text == sentences.TOO_FAST for each in asked] == [False] * PER_PERSON.burst + [True]
    other = await (await scene.discord.command("health", permissions=MEMBER)).answered()
    scene.now[0] += PER_PERSON.window_s
    again = await (await scene.discord.command("health", who=BOB, permissions=MEMBER)).answered()
    assert sentences.TOO_FAST not in (other.text, again.text)


async def test_nothing_that_a_command_says_can_ping_or_unfold(scene: Scene) -> None:
    """Answers at once, answers after a while, and messages that a button changes."""
    scene.gateway.answer = "@everyone https://example.org <@&1>"
    scene.gateway.told = {"zizou": {"adapter": "zizou@2"}, "zizou@1": {}, "zizou@2": {}}
    compared = await (await scene.discord.command("persona compare", question="@everyone?", channel=LOUNGE)).answered()
    revealed = await (await scene.discord.press(compared.messages[0], sentences.REVEAL)).answered()
    quiet = await (await scene.discord.command("quiet")).answered()
    bodies = [change.get("data", change) for asked in (quiet, compared, revealed) for change in asked.changes]
    said = [body for body in bodies if body.get("content")]
    assert len(said) == 3
    for body in said:
        assert body["allowed_mentions"]["parse"] == []
        assert body["flags"] & 4
