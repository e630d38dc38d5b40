"""What an operator may set of the gateway. The only file of this package that reads the environment."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from adapters.registry import BadName
from adapters.registry.names import check_community
from server.accounts import MAX_LENGTH
from server.accounts.limits import NO_LIMIT, Kind, Limits
from server.accounts.money import millionths
from server.accounts.prices import Prices
from server.accounts.ring import TRUST_SECONDS
from server.accounts.terms import AtCap, Terms

MAX_KEY_LENGTH = MAX_LENGTH


class Mode(StrEnum):
    """What stays of an engine of our own while nobody talks."""

    STANDBY = "standby"
    """A process that has everything imported and nothing loaded."""
    COLD = "cold"
    """Nothing at all."""
    SLEEP = "sleep"
    """On a GPU: the engine itself, its accelerator's memory given back."""
    ALWAYS = "always"
    """All of it: it never sleeps."""


Count = Annotated[int, Field(ge=0, le=NO_LIMIT)]
Money = Annotated[Decimal, Field(ge=0, le=10**9, decimal_places=6)]


class LimitSettings(BaseModel):
    """What is left out is not limited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent: Count | None = None
    tokens_per_day: Count | None = None
    money_per_month: Money | None = None

    def limits(self) -> Limits:
        money = None if self.money_per_month is None else millionths(self.money_per_month)
        return Limits(self.requests_per_minute, self.tokens_per_minute, self.concurrent, self.tokens_per_day, money)


def _read_limits(value: object) -> object:
    """`concurrent=4,money_per_month=12.50`, as a variable has it; a table of `troupe.toml` is one already."""
    if not isinstance(value, str):
        return value
    pairs = [each.partition("=") for each in value.split(",") if each.strip()]
    read = {name.strip(): number.strip() for name, _, number in pairs}
    if not read.keys() <= set(Kind) or len(read) < len(pairs):
        raise ValueError(f"write NAME=NUMBER with commas between; the names are {', '.join(Kind)}")
    return read


def _read_names(value: object) -> object:
    """`zizou,greybeards`, as a variable has it; a list of `troupe.toml` is one already. Raises ValueError."""
    names = [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value
    if isinstance(names, list | tuple | set | frozenset):
        for name in names:
            try:
                check_community(str(name))
            except BadName as exc:
                raise ValueError(f"{exc} Write communities with commas between.") from exc
    return names


class GatewaySettings(BaseSettings):
    """Read from arguments, then `TROUPE_*` variables, then `troupe.toml` in the working directory. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="TROUPE_", toml_file="troupe.toml", frozen=True, extra="ignore")

    home: Path = Path("~/.local/share/troupe")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    api_key: SecretStr | None = None
    """A key that chats with all communities, beside those in the table of keys."""
    evaluate_key: SecretStr | None = None
    """Likewise; chats too, and may ask /v1/completions for log-probabilities of prompts."""
    admin_key: SecretStr | None = None
    """Likewise; opens /admin and nothing else."""
    key_pepper: SecretStr = SecretStr("")
    """Hashed with every key of the table, the same for all gateways of one database; empty for a file below `home`."""
    key_trust: float = Field(default=TRUST_SECONDS, ge=2.0, allow_inf_nan=False)
    """How long a key is believed while the table cannot be read."""

    base: str = ""
    """Directory of the base, or its name on the hub; empty for the demo."""
    engine_url: str = ""
    """An engine that somebody else runs, and that never sleeps here; empty for one of our own, on this machine."""

    engine_tool_parser: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    """Which of vLLM's parsers finds calls of tools in the base's answers, such as `hermes`; empty for no tools."""

    mode: Mode = Mode.STANDBY
    idle_timeout: float = Field(default=300.0, ge=0.1, allow_inf_nan=False)
    """How long nobody may have asked before the engine goes to sleep."""
    wake_at_start: bool = True
    """Start the engine at once, so that an installation that cannot work says so."""
    hang_timeout: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """An engine that makes no token for so long, though one is asked for, is replaced."""
    max_waiting: int = Field(default=256, ge=1)
    """Requests that may wait for their turn at the engine at once."""
    max_waiting_each: int | None = Field(default=None, ge=1)
    """Of one community; None for what the others leave it."""
    longest_swap: float = Field(default=2.0, ge=0.2, allow_inf_nan=False)
    """The longest that an adapter without a slot waits before another one's is freed for it, however dear that is."""
    reserved_seconds: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    """Engine time that is set aside of a budget for a request until it has ended, where an engine-second has a price."""
    deadline: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """How long a request waits for an engine, unless its `x-troupe-deadline-ms` says otherwise."""
    max_deadline: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    """The most that such a header can ask for."""
    keepalive: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Pauses between the comments that a stream gets while it waits for the engine."""

    store_url: str = ""
    """Where adapters' bytes are kept: a folder or `s3://BUCKET/PREFIX`; empty for a folder below `home`."""
    database_url: SecretStr = SecretStr("")
    """Where versions and aliases are kept: `postgresql://USER:PASSWORD@HOST/NAME`; empty for a SQLite file below `home`."""

    currency: str = Field(default="USD", pattern=r"^\S{1,8}$")
    """Beside every amount of money; a word, which nothing converts."""
    price_prompt: Money = Decimal(0)
    """Of a million tokens of prompts."""
    price_cached: Money | None = None
    """Of a million tokens of prompts that were in the prefix cache; None for the same."""
    price_completion: Money = Decimal(0)
    """Of a million tokens of answers."""
    price_engine_second: Decimal = Field(default=Decimal(0), ge=0, le=1000, decimal_places=9)
    """Of a second of an engine, from its wake to its end: what the machine costs by the hour, divided by 3600."""
    community_limits: Annotated[LimitSettings, NoDecode, BeforeValidator(_read_limits)] = LimitSettings()
    """Of each community with which nothing else was agreed."""
    key_limits: Annotated[LimitSettings, NoDecode, BeforeValidator(_read_limits)] = LimitSettings()
    """Of each key likewise, within its community's."""
    at_cap: AtCap = AtCap.REFUSE
    """When a budget is spent, of whom nothing else was agreed with."""

    event_source: str = Field(default="/troupe", pattern=r"^[!-~]{1,200}$")
    """The `source` of exported CloudEvents: a URI reference that names this installation, the same for ever."""

    context_length: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer together; None for what the base can hold."""
    default_max_tokens: int = Field(default=512, ge=1)
    """Length of an answer whose caller names none, where the context has room for it."""

    max_body_bytes: int = Field(default=1 << 20, ge=1024, le=64 << 20)
    max_head_bytes: int = Field(default=64 << 10, ge=1024, le=1 << 20)
    """Request line and headers together."""
    body_timeout: float = Field(default=10.0, gt=0)
    stall_timeout: float = Field(default=60.0, gt=0)
    """How long a stream may bring no byte before the engine counts as stuck."""
    answer_timeout: float = Field(default=600.0, gt=0)
    """How long an answer that is not streamed may take."""
    write_timeout: float = Field(default=30.0, gt=0)
    """How long a caller may leave a stream unread."""
    connect_timeout: float = Field(default=5.0, gt=0)
    keep_alive_timeout: int = Field(default=30, ge=1)
    drain_timeout: int = Field(default=30, ge=0)
    """How long running streams may go on after a stop signal."""

    log_prompts: Annotated[frozenset[str], NoDecode, BeforeValidator(_read_names)] = frozenset()
    """Communities whose prompts and answers are written to the log. Nobody's, unless they are named here."""

    @property
    def prices(self) -> Prices:
        cached = None if self.price_cached is None else millionths(self.price_cached)
        engine_second = int(self.price_engine_second.scaleb(9))
        return Prices(millionths(self.price_prompt), cached, millionths(self.price_completion), engine_second)

    @property
    def community_terms(self) -> Terms:
        """Of those with whom nothing else was agreed."""
        return Terms(self.community_limits.limits(), self.at_cap)

    @property
    def key_terms(self) -> Terms:
        return Terms(self.key_limits.limits(), self.at_cap)

    @field_validator("home")
    @classmethod
    def _expand(cls, home: Path) -> Path:
        return home.expanduser()

    @field_validator("api_key", "evaluate_key", "admin_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        value = key.get_secret_value()
        if not 0 < len(value) <= MAX_KEY_LENGTH or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError(
                f"a key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters without spaces;"
                " set TROUPE_API_KEY, TROUPE_EVALUATE_KEY and TROUPE_ADMIN_KEY to such keys, or leave them out"
            )
        return key

    @model_validator(mode="after")
    def _check_deadlines(self) -> "GatewaySettings":
        if self.deadline > self.max_deadline:
            raise ValueError("TROUPE_DEADLINE must not be above TROUPE_MAX_DEADLINE: lower the one or raise the other")
        return self

    @model_validator(mode="after")
    def _check_keys_differ(self) -> "GatewaySettings":
        if self.api_key is not None and self.api_key == self.admin_key:
            raise ValueError("the chat key would open /admin: set TROUPE_ADMIN_KEY to another key than TROUPE_API_KEY")
        if self.evaluate_key is not None and self.evaluate_key in (self.api_key, self.admin_key):
            raise ValueError("one key would do for two: set TROUPE_EVALUATE_KEY to another key than TROUPE_API_KEY and TROUPE_ADMIN_KEY")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))
