"""Composition root of a worker: takes phases off the queue and runs them on this machine."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence

import procrastinate
import structlog

from landform.contract import Artefact, Created, LogStream, Orders, PhaseJob, PhaseResult
from landform.dispatch.service import ORDERS_CHANNEL, RUN_PHASE
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.kit.errors import LandformError
from landform.kit.notify import Listener
from landform.kit.tasks import run_worker, worker_app
from landform.logs import service as logs
from landform.runs import attempts
from landform.runs.attempts import Platform
from landform.runs.sweep import sweep
from landform.toolchain.service import Toolchain

log = structlog.get_logger()
