"""What workspaces are planned from, where configurations came from, and what was seen and told.

Revision ID: repositories
Revises: vcs_ssh_keys
"""

import sqlalchemy as sa
from alembic import op

revision = "repositories"
down_revision = "vcs_ssh_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "repository_watches",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_upkeep_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("has_baseline", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_repository_watches_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "connection_id", "repository_id", name=op.f("pk_repository_watches")
        ),
    )
    op.create_index(
        op.f("ix_repository_watches_next_look_at"),
        "repository_watches",
        ["next_look_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_repository_watches_next_upkeep_at"),
        "repository_watches",
        ["next_upkeep_at"],
        unique=False,
    )
    op.create_table(
        "vcs_seen_pull_requests",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source_commit", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_seen_pull_requests_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "connection_id", "repository_id", "number", name=op.f("pk_vcs_seen_pull_requests")
        ),
    )
    op.create_table(
        "vcs_seen_refs",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_seen_refs_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "connection_id", "repository_id", "ref", name=op.f("pk_vcs_seen_refs")
        ),
    )
    op.create_table(
        "pull_request_comments",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("comment_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_pull_request_comments_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_pull_request_comments_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id",
            "connection_id",
            "repository_id",
            "number",
            name=op.f("pk_pull_request_comments"),
        ),
    )
    op.create_table(
        "workspace_repositories",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("web_url", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("default_branch", sa.Text(), nullable=False),
        sa.Column("linked_commit", sa.Text(), nullable=False),
        sa.Column("ingress_submodules", sa.Boolean(), nullable=False),
        sa.Column("tags_regex", sa.Text(), nullable=False),
        sa.Column("forks_enabled", sa.Boolean(), nullable=False),
        sa.Column("applies_by_comment", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_workspace_repositories_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_workspace_repositories_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_workspace_repositories")),
    )
    op.create_index(
        "ix_workspace_repositories_repository",
        "workspace_repositories",
        ["connection_id", "repository_id"],
        unique=False,
    )
    op.create_table(
        "ingress_attributes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("configuration_version_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("clone_url", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("on_default_branch", sa.Boolean(), nullable=False),
        sa.Column("commit_sha", sa.Text(), nullable=False),
        sa.Column("base_commit", sa.Text(), nullable=False),
        sa.Column("commit_message", sa.Text(), nullable=False),
        sa.Column("commit_url", sa.Text(), nullable=False),
        sa.Column("compare_url", sa.Text(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("author_email", sa.Text(), nullable=False),
        sa.Column("pull_request_number", sa.Integer(), nullable=True),
        sa.Column("pull_request_url", sa.Text(), nullable=False),
        sa.Column("pull_request_title", sa.Text(), nullable=False),
        sa.Column("sender_name", sa.Text(), nullable=False),
        sa.Column("with_submodules", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["configuration_version_id"],
            ["configuration_versions.id"],
            name=op.f("fk_ingress_attributes_configuration_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingress_attributes")),
        sa.UniqueConstraint(
            "configuration_version_id", name=op.f("uq_ingress_attributes_configuration_version_id")
        ),
    )
    op.create_index(
        "ix_ingress_attributes_commit",
        "ingress_attributes",
        ["connection_id", "repository_id", "commit_sha"],
        unique=False,
    )
    op.create_table(
        "run_feedback",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("commit_sha", sa.Text(), nullable=False),
        sa.Column("pull_request_number", sa.Integer(), nullable=True),
        sa.Column("told_status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_run_feedback_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_feedback_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_feedback")),
    )
    op.create_index(
        op.f("ix_run_feedback_connection_id"), "run_feedback", ["connection_id"], unique=False
    )
    op.create_index("ix_run_feedback_next_at", "run_feedback", ["next_at"], unique=False)
    op.create_index(
        "ix_vcs_deliveries_open",
        "vcs_deliveries",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("status <> 'done'"),
    )


def downgrade() -> None:
    op.drop_index("ix_vcs_deliveries_open", table_name="vcs_deliveries")
    op.drop_index("ix_run_feedback_next_at", table_name="run_feedback")
    op.drop_index(op.f("ix_run_feedback_connection_id"), table_name="run_feedback")
    op.drop_table("run_feedback")
    op.drop_index("ix_ingress_attributes_commit", table_name="ingress_attributes")
    op.drop_table("ingress_attributes")
    op.drop_index("ix_workspace_repositories_repository", table_name="workspace_repositories")
    op.drop_table("workspace_repositories")
    op.drop_table("pull_request_comments")
    op.drop_table("vcs_seen_refs")
    op.drop_table("vcs_seen_pull_requests")
    op.drop_index(op.f("ix_repository_watches_next_upkeep_at"), table_name="repository_watches")
    op.drop_index(op.f("ix_repository_watches_next_look_at"), table_name="repository_watches")
    op.drop_table("repository_watches")
