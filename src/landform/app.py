"""Composition root of a server: the API and the pages on one ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from landform.api import hidden, tfe
from landform.edge.process import Process
