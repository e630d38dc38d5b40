"""In which order what was used can be exported: requests by when they ended, engine time by when it was shared out."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    condition = sa.text("ended_ms IS NOT NULL")
    op.create_index("ix_requests_ended", "requests", ["ended_ms"], sqlite_where=condition, postgresql_where=condition)
    op.add_column("engine_shares", sa.Column("shared_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE engine_shares SET shared_ms = until_ms")
    op.create_index("ix_engine_shares_shared", "engine_shares", ["shared_ms"])
