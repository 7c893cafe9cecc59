"""What a row of the table says, how it is printed and how it is kept."""

import json
import os
import platform as machine
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        row: of the table in docs/benchmarks.md.
        floor, landform: with their units, as they are printed.
        value: what the aim is about, a ratio or a measure.
        aim: the bound of `value`; None when there is none.
        at_least: the aim is met from `aim` upwards, else downwards.
        raw: every measurement behind it.
    """

    row: int
    measure: str
    landform: str
    floor: str = ""
    value: float
    aim: float | None = None
    at_least: bool = False
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is met; None when there is none."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.at_least else self.value <= self.aim


def paired(
    row: int, measure: str, pairs: Sequence[tuple[float, float]], *, aim: float | None
) -> Figure:
    """Return the figure of seconds bare and ours, measured in turn: the median of the ratios."""
    floors, ours = zip(*pairs, strict=True)
    return Figure(
        row=row,
        measure=measure,
        floor=f"{statistics.median(floors):.3f} s",
        landform=f"{statistics.median(ours):.3f} s",
        value=statistics.median(our / floor for floor, our in pairs),
        aim=aim,
        raw={"pairs_s": pairs, "ratio_of_fastest": min(ours) / min(floors)},
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return that percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    print(f"\n{'':>2} {'measure':<44}{'floor':>12}{'landform':>12}{'value':>9}{'aim':>9}")
    for figure in figures:
        sign = "" if figure.aim is None else ("≥" if figure.at_least else "≤")
        aim = "" if figure.aim is None else f"{sign}{figure.aim:g}"
        met = {True: "met", False: "MISSED", None: ""}[figure.is_met]
        print(
            f"{figure.row:>2} {figure.measure:<44}{figure.floor:>12}{figure.landform:>12}"
            f"{figure.value:>9.2f}{aim:>9} {met}"
        )


def keep(figures: Sequence[Figure], *, quick: bool) -> Path:
    """Write the figures, with what they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    on = {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "python": machine.python_version(),
        "os": machine.platform(),
    }
    path = RESULTS / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.json"
    rows = [{**asdict(figure), "is_met": figure.is_met} for figure in figures]
    path.write_text(json.dumps({"machine": on, "quick": quick, "rows": rows}, indent=1))
    return path
