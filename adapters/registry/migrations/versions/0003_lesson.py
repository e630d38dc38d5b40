"""What callers may know of how a version was trained, beside its training manifest, which lists leave out."""

import json

import sqlalchemy as sa
from alembic import op

from adapters.registry.lesson import lesson_of

revision = "0003"
down_revision = "0002"

_ADAPTERS = sa.table(
    "adapters",
    sa.column("community", sa.String),
    sa.column("version", sa.Integer),
    sa.column("training", sa.Text),
    sa.column("lesson", sa.Text),
)


def upgrade() -> None:
    op.add_column("adapters", sa.Column("lesson", sa.Text))
    connection = op.get_bind()
    told = sa.select(_ADAPTERS.c.community, _ADAPTERS.c.version, _ADAPTERS.c.training).where(_ADAPTERS.c.training.is_not(None))
    for community, version, training in connection.execute(told).all():
        lesson = lesson_of(json.loads(training))
        if lesson is not None:
            this = (_ADAPTERS.c.community == community, _ADAPTERS.c.version == version)
            connection.execute(sa.update(_ADAPTERS).where(*this).values(lesson=json.dumps(lesson)))
