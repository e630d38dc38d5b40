"""The commands that the guide quotes, and how a person types them."""

import re
from typing import Any

from tests.clients.discord_bot.fake_discord import FakeDiscord
from tests.end_to_end.stack import ROOT

GUIDE = (ROOT / "docs" / "discord.md").read_text()
LINES = [line for block in re.findall(r"```discord\n(.*?)```", GUIDE, flags=re.DOTALL) for line in block.splitlines()]
SHELL = [line for block in re.findall(r"```console\n(.*?)```", GUIDE, flags=re.DOTALL) for line in re.findall(r"^\$ (.+)$", block, re.M)]
_GROUPS = (1, 2)


def typed(discord: FakeDiscord, line: str) -> tuple[str, dict[str, Any]]:
    """The command and its options, `/quiet minutes:15`, as Discord's client would read them: only what is registered can be typed."""
    known = {command["name"]: command for command in discord.interactions.commands[None]}
    name, *words = line.removeprefix("/").split(" ")
    path, described = [name], known[name]
    while described.get("options") and described["options"][0]["type"] in _GROUPS:
        described = next(option for option in described["options"] if option["name"] == words[0])
        path.append(words.pop(0))
    kinds = {option["name"]: option["type"] for option in described.get("options", [])}
    given = re.split(rf"(?:^| )({'|'.join(kinds)}):", " ".join(words))[1:] if kinds and words else []
    assert words == [] or given, f"{line}: not an option of it"
    return " ".join(path), {option: _value(kinds[option], value) for option, value in zip(given[::2], given[1::2], strict=True)}


def _value(kind: int, value: str) -> Any:
    match kind:
        case 4:
            return int(value)
        case 5:
            return value.lower() == "true"
        case 10:
            return float(value)
    return value
