"""The tables of keys, the same on SQLite and PostgreSQL. `migrations/` makes them; HEAD is where those must have come to.

Other tables of accounts are declared elsewhere, on this `metadata`. Times are UTC in ISO 8601, to the microsecond: such texts sort as
the times do.
"""

from pathlib import Path

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

from adapters.registry.database import Schema

HEAD = "0006"

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(referred_table_name)s", "ix": "ix_%(column_0_label)s"}
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("pepper_check", String(64)),
)
"""One row. Every change of a key begins by counting `revision` up, which makes writers take turns and tells readers that there is news.
`pepper_check` tells a wrong pepper from a wrong key; NULL until the first key store was opened."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("name", String(100), nullable=False),
    Column("scopes", Text, nullable=False),  # JSON, a sorted list
    Column("communities", Text),  # JSON, a sorted list; NULL: all that there are and will be
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
    Column("revoked_by", String(100)),
    Column("replaced_by", String(16), ForeignKey("keys.id")),
    Column("last_used_at", String(32)),
    Column("changed", BigInteger, nullable=False, index=True),
)
"""Never a secret: `hash` is SHA-256 of the installation's pepper and the key. Rows stay for ever, since bills refer to them. `changed` is
the revision of a row's last change, so that readers get only what is new; `last_used_at` is no change."""

SCHEMA = Schema(HEAD, Path(__file__).with_name("migrations"), version_table="accounts_version", counter=accounts)
