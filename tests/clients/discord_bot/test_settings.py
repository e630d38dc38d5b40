"""The bot's settings: what is missing is said, what is secret is not."""

import pytest
from click.testing import CliRunner

from clients.cli.main import main
from clients.discord_bot.settings import read_bot_settings
from clients.errors import BadSettings

GOOD = {"bot_token": "s3cret-token", "bot_model": "zizou", "api_key": "s3cret-key"}


def test_secrets_are_not_shown() -> None:
    """Neither in repr nor in str."""
    assert "s3cret" not in repr(read_bot_settings(**GOOD))


@pytest.mark.parametrize(("field", "value"), [("bot_timeout", -1), ("bot_max_tokens", "many"), ("url", "nowhere"), ("bot_model", "")])
def test_nonsense_is_refused_by_its_name(field: str, value: object) -> None:
    """The variable's name, and none of the values."""
    with pytest.raises(BadSettings, match=f"TROUPE_{field.upper()}") as caught:
        read_bot_settings(**GOOD | {field: value})
    assert "s3cret" not in str(caught.value)


def test_the_command_says_what_to_set() -> None:
    """One sentence on stderr, exit code 1."""
    env = {"TROUPE_BOT_TOKEN": "s3cret-token", "TROUPE_BOT_MODEL": "", "TROUPE_API_KEY": "s3cret-key"}
    result = CliRunner().invoke(main, ["bot"], env=env)
    assert result.exit_code == 1
    assert result.stderr == "Error: TROUPE_BOT_MODEL is not set. Set it to the community that it speaks as, a name from `troupe models`.\n"
