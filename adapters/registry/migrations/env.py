"""What Alembic runs. The caller hands it a connection with an open transaction; nothing is configured from a file.

To add a migration: change `schema.py`, write `versions/NNNN_what.py` by hand, set HEAD; a test compares what migrations make with
what `schema.py` says.
"""

from alembic import context

from adapters.registry.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
