"""Landform: teams run Terraform and OpenTofu together."""

__version__ = "0.1.0"
