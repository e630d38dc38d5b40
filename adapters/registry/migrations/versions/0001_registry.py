"""Versions, moves of aliases, claims on bytes, and the revision."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    registry = op.create_table(
        "registry",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registry"),
    )
    op.bulk_insert(registry, [{"id": 1, "revision": 0}])
    op.create_table(
        "adapters",
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("base_fingerprint", sa.String(71), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("alpha", sa.Integer, nullable=False),
        sa.Column("target_modules", sa.Text, nullable=False),
        sa.Column("dtype", sa.String(8), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("published_by", sa.String(100), nullable=False),
        sa.Column("published_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("training", sa.Text),
        sa.Column("report_card", sa.Text),
        sa.PrimaryKeyConstraint("community", "version", name="pk_adapters"),
    )
    op.create_index("ix_adapters_digest", "adapters", ["digest"])
    op.create_table(
        "moves",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("alias", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("moved_by", sa.String(100), nullable=False),
        sa.Column("moved_at", sa.String(32), nullable=False),
        sa.Column("undone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_moves"),
        sa.ForeignKeyConstraint(["community", "version"], ["adapters.community", "adapters.version"], name="fk_moves_adapters"),
    )
    op.create_index("ix_moves_community_alias", "moves", ["community", "alias"])
    op.create_table(
        "claims",
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("purpose", sa.String(8), nullable=False),
        sa.Column("claimed_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("digest", "owner", name="pk_claims"),
    )
