"""The tables of the ledger, the same on SQLite and PostgreSQL, on the metadata that accounts share.

Times are Unix milliseconds, except in `balances`, where rates need nanoseconds. Money is in millionths of the currency.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, text

from server.accounts.schema import metadata

requests = Table(
    "requests",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("community", String(63), nullable=False),
    Column("adapter", String(96), nullable=False),
    Column("gateway", String(32), nullable=False),
    Column("day", String(10), nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("degraded", Boolean, nullable=False),
    Column("tokens_reserved", BigInteger, nullable=False),
    Column("money_reserved", BigInteger, nullable=False),
    Column("noted_tokens", BigInteger, nullable=False, server_default="0"),
    Column("outcome", String(8)),
    Column("ended_ms", BigInteger),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("completion_tokens", BigInteger, nullable=False, server_default="0"),
    Column("ttft_ms", BigInteger),
    Column("queue_ms", BigInteger),
    Column("wake_ms", BigInteger),
    Column("life", String(64)),
    Column("engine_from_ms", BigInteger),
    Column("engine_until_ms", BigInteger),
    Column("engine_ms", BigInteger, nullable=False, server_default="0"),
    Column("token_cost", BigInteger, nullable=False, server_default="0"),
    Column("engine_cost", BigInteger, nullable=False, server_default="0"),
    Index("ix_requests_day", "day", "community"),
    Index("ix_requests_open", "gateway", sqlite_where=text("outcome IS NULL"), postgresql_where=text("outcome IS NULL")),
    Index("ix_requests_ended", "ended_ms", sqlite_where=text("ended_ms IS NOT NULL"), postgresql_where=text("ended_ms IS NOT NULL")),
    Index(
        "ix_requests_life",
        "life",
        "engine_until_ms",
        sqlite_where=text("life IS NOT NULL"),
        postgresql_where=text("life IS NOT NULL"),
    ),
)
"""One row a request, before the engine is touched. Open while `outcome` is NULL: `prompt_tokens` is then what the gateway counted."""

balances = Table(
    "balances",
    metadata,
    Column("account", String(66), primary_key=True),
    Column("requests_until", BigInteger, nullable=False, server_default="0"),
    Column("tokens_until", BigInteger, nullable=False, server_default="0"),
    Column("running", BigInteger, nullable=False, server_default="0"),
    Column("day", String(10), nullable=False, server_default=""),
    Column("day_spent", BigInteger, nullable=False, server_default="0"),
    Column("day_reserved", BigInteger, nullable=False, server_default="0"),
    Column("month", String(7), nullable=False, server_default=""),
    Column("month_spent", BigInteger, nullable=False, server_default="0"),
    Column("month_reserved", BigInteger, nullable=False, server_default="0"),
)
"""What each account (`c:<community>`, `k:<key id>`) has used up of its limits: the one row that conditional updates look at."""

gateways = Table(
    "gateways",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("beat_ms", BigInteger, nullable=False),
)
"""Who writes here, one row a process, and when he was last known to live: by the database's clock where several machines write."""

lives = Table(
    "engine_lives",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("engine", String(255), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("gateway", String(32), nullable=False),
    Column("woke_ms", BigInteger, nullable=False),
    Column("ready_ms", BigInteger),
    Column("draining_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("shared_until_ms", BigInteger, nullable=False),
    Column("engine_second", BigInteger),
)
"""From the moment an engine began to cost until it no longer did. Up to `shared_until_ms` that is in `engine_shares`. `engine_second`: its
price then, in billionths; NULL where it began before that was kept."""

shares = Table(
    "engine_shares",
    metadata,
    Column("life", String(64), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    Column("community", String(63), primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Column("day", String(10), nullable=False),
    Column("engine_ms", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("shared_ms", BigInteger, nullable=False, server_default="0"),
    Index("ix_engine_shares_day", "day"),
    Index("ix_engine_shares_shared", "shared_ms"),
)
"""Who bears how much of a stretch of an engine's life; community "" is the operator, where nobody used it. `shared_ms`: when that was
worked out."""

terms = Table(
    "terms",
    metadata,
    Column("account", String(66), primary_key=True),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Column("concurrent", BigInteger),
    Column("tokens_per_day", BigInteger),
    Column("money_per_month", BigInteger),
    Column("at_cap", String(8), nullable=False),
    Column("weight", Integer, nullable=False),
)
"""What was agreed with a community or a key."""
