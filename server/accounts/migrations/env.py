"""What Alembic runs. The caller hands it a connection with an open transaction; nothing is configured from a file.

To add a migration: declare the tables on `schema.metadata`, write `versions/NNNN_what.py` by hand, set `schema.HEAD`; a test compares
what migrations make with what `metadata` says. The database may also hold the registry's tables: hence a version table of our own.
"""

from alembic import context

from server.accounts.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
