"""Variable sets, and what a run was given stays with it until it is over.

Revision ID: variable_sets
Revises: told_changes
"""

import sqlalchemy as sa
from alembic import op

revision = "variable_sets"
down_revision = "told_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "variable_sets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_global", sa.Boolean(), nullable=False),
        sa.Column("is_priority", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "project_id IS NULL OR NOT is_global",
            name=op.f("ck_variable_sets_global_of_organization"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_variable_sets_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_variable_sets_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variable_sets")),
        sa.UniqueConstraint(
            "organization_id", "name", name=op.f("uq_variable_sets_organization_id_name")
        ),
    )
    op.create_index(op.f("ix_variable_sets_project_id"), "variable_sets", ["project_id"])
    for place in ("workspace", "project"):
        table = f"variable_set_{place}s"
        op.create_table(
            table,
            sa.Column("variable_set_id", sa.Text(), nullable=False),
            sa.Column(f"{place}_id", sa.Text(), nullable=False),
            sa.ForeignKeyConstraint(
                ["variable_set_id"],
                ["variable_sets.id"],
                name=op.f(f"fk_{table}_variable_set_id_variable_sets"),
                ondelete="CASCADE",
            ),
            sa.ForeignKeyConstraint(
                [f"{place}_id"],
                [f"{place}s.id"],
                name=op.f(f"fk_{table}_{place}_id_{place}s"),
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("variable_set_id", f"{place}_id", name=op.f(f"pk_{table}")),
        )
        op.create_index(op.f(f"ix_{table}_{place}_id"), table, [f"{place}_id"])
    op.alter_column("variables", "workspace_id", nullable=True)
    op.add_column("variables", sa.Column("variable_set_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_variables_variable_set_id_variable_sets"),
        "variables",
        "variable_sets",
        ["variable_set_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_unique_constraint(
        op.f("uq_variables_variable_set_id_category_key"),
        "variables",
        ["variable_set_id", "category", "key"],
    )
    op.create_check_constraint(
        op.f("ck_variables_one_owner"),
        "variables",
        "num_nonnulls(workspace_id, variable_set_id) = 1",
    )
    op.create_table(
        "run_inputs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("sealed_variables", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_inputs_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_inputs")),
    )
