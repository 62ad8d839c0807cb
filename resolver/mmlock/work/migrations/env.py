"""How alembic runs our migrations: on the connection that it is given, in one transaction."""

from __future__ import annotations

from alembic import context

from mmlock.work.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
