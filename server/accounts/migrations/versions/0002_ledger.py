"""Requests, balances, gateways, lives of engines and who bears them, and terms."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _requests()
    _balances()
    op.create_table(
        "gateways",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("began_ms", sa.BigInteger, nullable=False),
        sa.Column("beat_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gateways"),
    )
    _engines()
    op.create_table(
        "terms",
        sa.Column("account", sa.String(66), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger),
        sa.Column("tokens_per_minute", sa.BigInteger),
        sa.Column("concurrent", sa.BigInteger),
        sa.Column("tokens_per_day", sa.BigInteger),
        sa.Column("money_per_month", sa.BigInteger),
        sa.Column("at_cap", sa.String(8), nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_terms"),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("adapter", sa.String(96), nullable=False),
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("degraded", sa.Boolean, nullable=False),
        sa.Column("tokens_reserved", sa.BigInteger, nullable=False),
        sa.Column("money_reserved", sa.BigInteger, nullable=False),
        _counter("noted_tokens"),
        sa.Column("outcome", sa.String(8)),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        _counter("cached_tokens"),
        _counter("completion_tokens"),
        sa.Column("ttft_ms", sa.BigInteger),
        sa.Column("queue_ms", sa.BigInteger),
        sa.Column("wake_ms", sa.BigInteger),
        sa.Column("life", sa.String(64)),
        sa.Column("engine_from_ms", sa.BigInteger),
        sa.Column("engine_until_ms", sa.BigInteger),
        _counter("engine_ms"),
        _counter("token_cost"),
        _counter("engine_cost"),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    op.create_index("ix_requests_day", "requests", ["day", "community"])
    for name, column, condition in (("ix_requests_open", "gateway", "outcome IS NULL"), ("ix_requests_life", "life", "life IS NOT NULL")):
        op.create_index(name, "requests", [column], sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def _balances() -> None:
    op.create_table(
        "balances",
        sa.Column("account", sa.String(66), nullable=False),
        _counter("requests_until"),
        _counter("tokens_until"),
        _counter("running"),
        sa.Column("day", sa.String(10), nullable=False, server_default=""),
        _counter("day_spent"),
        _counter("day_reserved"),
        sa.Column("month", sa.String(7), nullable=False, server_default=""),
        _counter("month_spent"),
        _counter("month_reserved"),
        sa.PrimaryKeyConstraint("account", name="pk_balances"),
    )


def _engines() -> None:
    op.create_table(
        "engine_lives",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("engine", sa.String(255), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("woke_ms", sa.BigInteger, nullable=False),
        sa.Column("ready_ms", sa.BigInteger),
        sa.Column("draining_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("shared_until_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_engine_lives"),
    )
    op.create_table(
        "engine_shares",
        sa.Column("life", sa.String(64), nullable=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("engine_ms", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("life", "from_ms", "community", name="pk_engine_shares"),
    )
    op.create_index("ix_engine_shares_day", "engine_shares", ["day"])


def _counter(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
