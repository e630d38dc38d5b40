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


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({}, "TROUPE_BOT_TOKEN is not set. Set it to the token of your bot (Discord's developer portal, your application, Bot)."),
        (
            {"TROUPE_BOT_TOKEN": "s3cret-token", "TROUPE_BOT_MODEL": "zizou"},
            "TROUPE_API_KEY is not set. Set it to the key that `make up` printed, or unset TROUPE_BOT_MODEL.",
        ),
        (
            {"TROUPE_BOT_TOKEN": "s3cret-token", "TROUPE_BOT_SHARDS": "2", "TROUPE_BOT_SHARD_IDS": "1, 2"},
            "TROUPE_BOT_SHARD_IDS names a connection that is none of TROUPE_BOT_SHARDS.",
        ),
    ],
)
def test_the_command_says_what_to_set(env: dict[str, str], sentence: str) -> None:
    """One sentence on stderr, exit code 1."""
    unset = dict.fromkeys(("TROUPE_BOT_TOKEN", "TROUPE_BOT_MODEL", "TROUPE_API_KEY"), "")
    result = CliRunner().invoke(main, ["bot"], env=unset | env)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {sentence}\n"


def test_a_bot_without_a_model_of_its_own_speaks_where_it_is_linked() -> None:
    """A token is all that it needs."""
    settings = read_bot_settings(bot_token="t", bot_model=None, bot_shards=4, bot_shard_ids="0,3")
    assert (settings.bot_model, settings.bot_shard_ids) == (None, (0, 3))
