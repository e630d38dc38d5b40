"""What a second of an engine cost while it lived: another price afterwards does not change its bill."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("engine_lives", sa.Column("engine_second", sa.BigInteger))
