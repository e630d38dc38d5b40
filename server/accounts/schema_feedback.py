"""The tables of what people thought of answers, the same on SQLite and PostgreSQL, on the metadata that accounts share.

Times are Unix milliseconds. A person is an id of the network that the community talks in, as the bot said it.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, text

from server.accounts.schema import metadata

answers = Table(
    "feedback_answers",
    metadata,
    Column("community", String(63), primary_key=True),
    Column("message_id", String(64), primary_key=True),
    Column("adapter", String(96), nullable=False),
    Column("context_hash", String(64), nullable=False),
    Column("sent_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("reactions", Text, nullable=False),  # JSON, emoji → count
    Column("reward", Integer, nullable=False),
    Column("counted", Integer, nullable=False),
    Column("context", Text),  # JSON, a list of turns
    Column("reply", Text),
    Index("ix_feedback_answers_adapter", "community", "adapter", "sent_ms"),
    Index("ix_feedback_answers_sent", "sent_ms"),
)
"""One row an answer that people saw, with the last that is known of their reactions. `reward`: how many people liked it; `counted`: how
many had when its day was over, which is what versions are compared by. `context` and `reply` only where the community lets models learn."""

people = Table(
    "feedback_people",
    metadata,
    Column("community", String(63), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("message_id", String(64), primary_key=True),
    Index("ix_feedback_people_message", "community", "message_id"),
)
"""Who is in the text of which answer: how it is found when somebody does not want to be in it."""

consent = Table(
    "consent",
    metadata,
    Column("community", String(63), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("forget", Boolean, nullable=False),
)
"""Who said no. `forget`: who also wants to be taken out of what was learnt."""

policies = Table(
    "canary_policies",
    metadata,
    Column("community", String(63), primary_key=True),
    Column("confidence", Float, nullable=False),
    Column("minimum", Integer, nullable=False),
    Column("threshold", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("set_by", String(100), nullable=False),
    Column("set_ms", BigInteger, nullable=False),
)
"""Where canaries are decided by reactions; a community without a row decides by itself."""

trials = Table(
    "canary_trials",
    metadata,
    Column("community", String(63), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("canary", Integer, nullable=False),
    Column("live", Integer, nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("taken_until_ms", BigInteger, nullable=False, server_default="0"),
    Column("ended_ms", BigInteger),
    Column("outcome", String(16)),
    Column("why", String(300)),
    Index(
        "ix_canary_trials_open",
        "community",
        unique=True,
        sqlite_where=text("ended_ms IS NULL"),
        postgresql_where=text("ended_ms IS NULL"),
    ),
)
"""Each time that two versions were compared; one at a time in a community. `taken_until_ms`: until when a gateway is carrying out its
decision, so that no other one does."""
