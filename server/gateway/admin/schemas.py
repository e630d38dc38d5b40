"""The admin API's documents, as OpenAPI describes them. What is answered is held against them by tests."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from adapters.registry import State
from server.accounts.keys import MAX_LIFE, MAX_NAME, MAX_OVERLAP, OVERLAP
from server.accounts.principal import MAX_COMMUNITIES

Share = Annotated[float, Field(ge=0, le=100, strict=True, description="Percent of what asks for `live`.")]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it must be printable characters")
    return text


Author = Annotated[
    str, Field(max_length=100, description="Who does this, for the record; without it, the key."), AfterValidator(_printable)
]


Reason = Annotated[str, Field(max_length=300), AfterValidator(_printable)]


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorObject(Document):
    message: str = Field(description="One sentence: what happened, what to do.")
    type: str
    param: str | None = Field(description="The part of the request that is wrong, where there is one.")
    code: str | None


class Error(Document):
    """The shape of every error, OpenAI's."""

    error: ErrorObject


class Override(Document):
    why: str
    by: str
    at: str = Field(description="UTC, ISO 8601.")


class ListedAdapter(Document):
    """One version of one community."""

    community: str
    version: int
    digest: str = Field(description="`sha256:` and 64 hex digits, over both files as they are stored.")
    base_fingerprint: str
    rank: int
    alpha: int
    target_modules: list[str]
    dtype: str = Field(description="Of the stored weights.")
    size_bytes: int
    published_by: str
    published_at: str = Field(description="UTC, ISO 8601.")
    state: State
    reason: str | None = Field(description="Why it is in quarantine.")
    override: Override | None = Field(description="Why it may be live though it failed its gates, where somebody said so.")
    lesson: dict[str, str | int] | None = Field(
        description="What everybody who may ask it may know of its training: `renderer`, `examples`, `made_at`, as far as that is known."
    )


class Adapter(ListedAdapter):
    training: dict[str, Any] | None = Field(description="The training manifest, if it came with one.")
    report_card: dict[str, Any] | None = Field(description="The evaluation, if it came with one.")


class Alias(Document):
    version: int
    share: Share


class Community(Document):
    community: str
    versions: int = Field(description="How many were ever published.")
    aliases: dict[str, Alias]


class Communities(Document):
    communities: list[Community]


class CommunityAdapters(Document):
    community: str
    aliases: dict[str, Alias]
    adapters: list[ListedAdapter]


class Change(Document):
    field: str = Field(description="Dotted inside the training manifest and the report card.")
    from_: Any = Field(alias="from")
    to: Any


class Diff(Document):
    from_: int = Field(alias="from")
    to: int
    changes: list[Change]


class MovedAlias(Document):
    community: str
    alias: str
    version: int
    share: Share
    adapter: Adapter


class Damage(Document):
    community: str
    version: int
    digest: str
    reason: str


class Verified(Document):
    checked: int
    damaged: list[Damage]


class Garbage(Document):
    removed: list[str] = Field(description="Digests of adapters that no version holds any more.")
    uploads: int = Field(description="Uploads that were never finished.")


class MoveAlias(Document):
    """What an alias is to mean."""

    version: int = Field(ge=1, lt=1 << 31, strict=True)
    share: Share | None = Field(default=None, description="Needed for `canary`, and for nothing else.")
    by: Author = ""
    override: Reason = Field(default="", description="Why it may be `live` or `canary` though it failed its gates; kept with the version.")


class Quarantine(Document):
    """Why a version is not to be served any more."""

    reason: Reason = Field(min_length=1)


class Rollback(Document):
    alias: str = Field(default="live", max_length=32)
    by: Author = ""


ScopeName = Literal["chat", "evaluate", "publish", "admin"]
"""Each `Scope`, written out: an enumeration would be a reference in a schema that stands alone."""


class Key(Document):
    """All that is known of a key but its secret."""

    id: str
    name: str
    scopes: list[ScopeName]
    communities: list[str] | None = Field(description="null for all that there are and will be.")
    created_at: str = Field(description="UTC, ISO 8601, as all times here.")
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    revoked_by: str | None
    replaced_by: str | None = Field(description="The id of the key that was made in its place.")
    last_used_at: str | None = Field(description="Correct to a minute.")
    opens: bool = Field(description="Neither revoked nor expired.")


class Keys(Document):
    keys: list[Key]


class CreatedKey(Key):
    key: str = Field(description="The key itself. It is shown this once and cannot be had again.")


class RotatedKey(CreatedKey):
    replaces: Key


class NewKey(Document):
    """A key to be made."""

    name: str = Field(min_length=1, max_length=MAX_NAME, description="Whom or what it is for.")
    scopes: list[ScopeName] = Field(min_length=1, max_length=4, description="`admin` goes together with `publish` only.")
    communities: list[str] | None = Field(
        min_length=1, max_length=MAX_COMMUNITIES, description="To be named, or null for all that there are and will be."
    )
    expires_in: int | None = Field(
        default=None, ge=1, le=int(MAX_LIFE.total_seconds()), strict=True, description="Seconds from now; without it, it has no end."
    )

    @field_validator("name")
    @classmethod
    def _is_printable(cls, name: str) -> str:
        return _printable(name)


class Rotate(Document):
    overlap: int = Field(
        default=int(OVERLAP.total_seconds()),
        ge=0,
        le=int(MAX_OVERLAP.total_seconds()),
        strict=True,
        description="Seconds that the old key goes on opening, unless it ends before.",
    )


class EngineStatus(Document):
    state: str = Field(description="`asleep`, `waking`, `ready`, `draining` or `failed`.")
    failure: str | None = Field(description="Why it is not there, or is being replaced.")
    mode: str = Field(description="What stays of it while nobody talks: `standby`, `cold`, `sleep`, `always`; `remote` if it is not ours.")
    waiting: int = Field(description="Requests that wait for it.")
    in_flight: int = Field(description="Requests that it answers.")
    wakes: int = Field(description="How often it became ready.")
    failed_wakes: int
    last_wake_seconds: float | None
    idle_seconds: float | None = Field(description="Since the last request ended; null while there is one, and before the first.")


class RegistryStatus(Document):
    revision: int | None = Field(description="Grows with every change; null until the registry was read for the first time.")
    failure: str | None


class KeysStatus(Document):
    failure: str | None = Field(description="Why the table of keys cannot be read; after a while nobody is let in then.")


class LedgerStatus(Document):
    failure: str | None = Field(description="Why requests cannot be written down; none are answered then.")
    unsettled: int = Field(description="Requests whose end is not on disk yet.")


class Status(Document):
    engine: EngineStatus
    registry: RegistryStatus
    keys: KeysStatus
    ledger: LedgerStatus
    base: str
    models: list[str]
