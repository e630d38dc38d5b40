"""Why a version may be live in spite of the gates that it failed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("adapters", sa.Column("override", sa.Text))
