"""Which requests were with an engine at some time, however long it lives."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    condition = sa.text("life IS NOT NULL")
    op.drop_index("ix_requests_life", "requests")
    op.create_index("ix_requests_life", "requests", ["life", "engine_until_ms"], sqlite_where=condition, postgresql_where=condition)
