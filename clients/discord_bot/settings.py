"""What the bot reads from the environment."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from clients.errors import BadSettings
from clients.settings import DEFAULT_URL, checked_url

_PREFIX = "TROUPE_"
_MISSING = {
    "bot_token": "the token of your bot (Discord's developer portal, your application, Bot)",
    "bot_model": "the community that it speaks as, a name from `troupe models`",
    "api_key": "the key that `make up` printed",
}


class BotSettings(BaseSettings):
    """One bot: one Discord account that speaks as one community. Each field is the variable TROUPE_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    bot_token: SecretStr
    bot_model: str = Field(min_length=1)
    """The model string: `zizou`, `zizou@canary`."""
    url: Annotated[str, AfterValidator(checked_url)] = DEFAULT_URL
    api_key: SecretStr
    bot_max_tokens: int = Field(default=200, ge=1, le=4096)
    bot_timeout: float = Field(default=240.0, gt=0, le=900)
    """Seconds to wait for a whole answer: longer than the gateway lets a question wait for its engine, or nobody learns its reason."""


def read_bot_settings(**given: Any) -> BotSettings:
    """Settings from the process's environment, `given` fields before it. Raises BadSettings with what to set; shows no value."""
    try:
        return BotSettings(**given)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0])
        name = _PREFIX + field.upper()
        if first["type"] == "missing":
            raise BadSettings(f"{name} is not set. Set it to {_MISSING[field]}.") from None
        raise BadSettings(f"{name} cannot be used: {first['msg']}.") from None
