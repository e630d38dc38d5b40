"""What people thought of answers, who said no, and canaries that are decided by it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _feedback()
    _canaries()


def _feedback() -> None:
    op.create_table(
        "feedback_answers",
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("adapter", sa.String(96), nullable=False),
        sa.Column("context_hash", sa.String(64), nullable=False),
        sa.Column("sent_ms", sa.BigInteger, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.Column("reactions", sa.Text, nullable=False),
        sa.Column("reward", sa.Integer, nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("context", sa.Text),
        sa.Column("reply", sa.Text),
        sa.PrimaryKeyConstraint("community", "message_id", name="pk_feedback_answers"),
    )
    op.create_index("ix_feedback_answers_adapter", "feedback_answers", ["community", "adapter", "sent_ms"])
    op.create_index("ix_feedback_answers_sent", "feedback_answers", ["sent_ms"])
    op.create_table(
        "feedback_people",
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("community", "person", "message_id", name="pk_feedback_people"),
    )
    op.create_index("ix_feedback_people_message", "feedback_people", ["community", "message_id"])
    op.create_table(
        "consent",
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("forget", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("community", "person", name="pk_consent"),
    )


def _canaries() -> None:
    op.create_table(
        "canary_policies",
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("minimum", sa.Integer, nullable=False),
        sa.Column("threshold", sa.Integer, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("set_by", sa.String(100), nullable=False),
        sa.Column("set_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("community", name="pk_canary_policies"),
    )
    op.create_table(
        "canary_trials",
        sa.Column("community", sa.String(63), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("canary", sa.Integer, nullable=False),
        sa.Column("live", sa.Integer, nullable=False),
        sa.Column("began_ms", sa.BigInteger, nullable=False),
        sa.Column("taken_until_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("outcome", sa.String(16)),
        sa.Column("why", sa.String(300)),
        sa.PrimaryKeyConstraint("community", "number", name="pk_canary_trials"),
    )
    condition = sa.text("ended_ms IS NULL")
    op.create_index(
        "ix_canary_trials_open", "canary_trials", ["community"], unique=True, sqlite_where=condition, postgresql_where=condition
    )
