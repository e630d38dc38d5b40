"""The tables of the index, the same on SQLite and PostgreSQL. `migrations/` makes them; HEAD is where those must have come to."""

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKeyConstraint, Index, Integer, MetaData, String, Table, Text

from adapters.registry.database import Schema

HEAD = "0003"

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(referred_table_name)s", "ix": "ix_%(column_0_label)s"}
)

registry = Table(
    "registry",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
"""One row. Every change begins by counting `revision` up, which makes writers take turns and tells readers that there is news."""

adapters = Table(
    "adapters",
    metadata,
    Column("community", String(63), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(71), nullable=False, index=True),
    Column("base_fingerprint", String(71), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("alpha", Integer, nullable=False),
    Column("target_modules", Text, nullable=False),  # JSON, as are `training` and `report_card`: plain text is the same everywhere
    Column("dtype", String(8), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("published_by", String(100), nullable=False),
    Column("published_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("training", Text),
    Column("report_card", Text),
    Column("override", Text),
    Column("lesson", Text),
)

moves = Table(
    "moves",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("community", String(63), nullable=False),
    Column("alias", String(32), nullable=False),
    Column("version", Integer),
    Column("share", Float, nullable=False),
    Column("moved_by", String(100), nullable=False),
    Column("moved_at", String(32), nullable=False),
    Column("undone", Boolean, nullable=False),
    ForeignKeyConstraint(["community", "version"], ["adapters.community", "adapters.version"]),
    Index("ix_moves_community_alias", "community", "alias"),
)
"""Every move an alias ever made. It points where the last move that is not undone says, nowhere if that has no version; rolling back
undoes moves, so there is no second place that could say otherwise."""

claims = Table(
    "claims",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("owner", String(32), primary_key=True),
    Column("purpose", String(8), nullable=False),
    Column("claimed_at", String(32), nullable=False),
)
"""Whose bytes are about to be published or removed: while one is going on, the other waits."""

SCHEMA = Schema(HEAD, Path(__file__).with_name("migrations"), version_table="alembic_version", counter=registry)
