"""What the bot reads from the environment."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from clients.errors import BadSettings
from clients.settings import DEFAULT_HOME, DEFAULT_URL, checked_url

_PREFIX = "TROUPE_"
_MISSING = {"bot_token": "the token of your bot (Discord's developer portal, your application, Bot)"}


def _listed(text: object) -> object:
    return [part.strip() for part in text.split(",")] if isinstance(text, str) else text


class BotSettings(BaseSettings):
    """One bot: one Discord account, which speaks in each server as the community that it is linked to there. Each field is the variable
    TROUPE_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    bot_token: SecretStr
    bot_model: str | None = Field(default=None, min_length=1)
    """The simple way, without `/troupe link`: the model string to speak as, `zizou`, in one server. Needs `api_key`."""
    api_key: SecretStr | None = None
    bot_guild: int | None = Field(default=None, ge=1)
    """The id of the server that `bot_model` is for; else the first one that the bot is alone in."""
    url: Annotated[str, AfterValidator(checked_url)] = DEFAULT_URL
    home: Path = DEFAULT_HOME
    """The bot's own file and key lie in `bot/` below it."""
    bot_state_key: SecretStr | None = None
    """32 bytes in base64 that seal the keys of linked servers; else a file of the home, made at the first start."""
    bot_names: Path | None = None
    """The folder with the names' keys of communities, `COMMUNITY/people/key`; else `factory` in the home."""
    bot_max_tokens: int = Field(default=200, ge=1, le=4096)
    bot_timeout: float = Field(default=240.0, gt=0, le=900)
    """Seconds to wait for a whole answer: longer than the gateway lets a question wait for its engine, or nobody learns its reason."""
    bot_late: float = Field(default=25.0, gt=0, le=900)
    """Seconds without an answer after which people are told that it takes a while."""
    bot_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Prometheus metrics at this port of this machine; none unless it is set."""
    bot_shards: int = Field(default=1, ge=0)
    """Connections to Discord in all; 0: as many as Discord thinks fit."""
    bot_shard_ids: Annotated[tuple[int, ...] | None, NoDecode, BeforeValidator(_listed)] = None
    """Those of them that are this process's, `0,1`; else all."""


def read_bot_settings(**given: Any) -> BotSettings:
    """Settings from the process's environment, `given` fields before it. Raises BadSettings with what to set; shows no value."""
    try:
        settings = BotSettings(**given)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0])
        name = _PREFIX + field.upper()
        if first["type"] == "missing":
            raise BadSettings(f"{name} is not set. Set it to {_MISSING[field]}.") from None
        raise BadSettings(f"{name} cannot be used: {first['msg']}.") from None
    if settings.bot_model is not None and settings.api_key is None:
        raise BadSettings("TROUPE_API_KEY is not set. Set it to the key that `make up` printed, or unset TROUPE_BOT_MODEL.")
    if settings.bot_shard_ids is not None and not all(0 <= each < settings.bot_shards for each in settings.bot_shard_ids):
        raise BadSettings("TROUPE_BOT_SHARD_IDS names a connection that is none of TROUPE_BOT_SHARDS.")
    return settings
