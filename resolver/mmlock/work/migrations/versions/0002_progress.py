"""How far a job is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("progress", sa.Text))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("jobs", "progress")
