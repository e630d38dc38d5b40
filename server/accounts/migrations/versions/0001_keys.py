"""Keys, and the revision."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    accounts = op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("pepper_check", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
    )
    op.bulk_insert(accounts, [{"id": 1, "revision": 0}])
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("communities", sa.Text),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("expires_at", sa.String(32)),
        sa.Column("revoked_at", sa.String(32)),
        sa.Column("revoked_by", sa.String(100)),
        sa.Column("replaced_by", sa.String(16)),
        sa.Column("last_used_at", sa.String(32)),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.ForeignKeyConstraint(["replaced_by"], ["keys.id"], name="fk_keys_keys"),
    )
    op.create_index("ix_keys_changed", "keys", ["changed"])
