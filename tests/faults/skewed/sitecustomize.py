"""Python imports this at its start where PYTHONPATH says so: a clock that is wrong."""

import os
import sys
import time
from datetime import datetime, timedelta

from landform.kit import clock

_SKEW_S = float(os.environ["TESTED_CLOCK_SKEW_S"]) * (-1 if "server" in sys.orig_argv else 1)
_RIGHT_NOW, _RIGHT_TIME = clock.now, time.time


def _now() -> datetime:
    return _RIGHT_NOW() + timedelta(seconds=_SKEW_S)


def _time() -> float:
    return _RIGHT_TIME() + _SKEW_S


clock.now = _now
time.time = _time
