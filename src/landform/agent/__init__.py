"""Composition root of an agent: takes phases of its pool over HTTP and runs them on this machine.

It knows no database and no encryption key; an import contract says so.
"""

from landform.agent.agent import Agent
from landform.agent.line import Line

__all__ = ["Agent", "Line"]
