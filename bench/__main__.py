"""`make bench`: rows of docs/benchmarks.md, each against its floor, as a table and as JSON."""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from bench import deliveries, lists, logs, pages, runs, standing, states
from bench.figures import Figure, keep, show
from bench.platform import Platform, started

# Those that share a platform, in this order; the others bring their own.
_ON_ONE: Final[dict[int, Callable[..., list[Figure]]]] = {
    1: runs.planned,
    2: runs.applied,
    3: runs.waits,
    5: logs.logs,
    6: states.states,
    8: lists.lists,
    10: pages.pages,
}
_ON_THEIR_OWN: Final[dict[int, Callable[..., list[Figure]]]] = {
    4: runs.throughput,
    7: standing.standing,
    9: deliveries.deliveries,
}


def main() -> None:
    """Measure, print a table, keep the figures."""
    arguments = _arguments()
    figures: list[Figure] = []
    with contextlib.ExitStack() as stack:
        platform: Platform | None = None
        for row in sorted(arguments.rows & _ON_ONE.keys()):
            platform = platform or stack.enter_context(started())
            with _told(row):
                figures += _ON_ONE[row](platform, quick=arguments.quick)
    for row in sorted(arguments.rows & _ON_THEIR_OWN.keys()):
        with _told(row):
            figures += _ON_THEIR_OWN[row](quick=arguments.quick)
    figures.sort(key=lambda figure: figure.row)
    show(figures)
    print(f"\n{keep(figures, quick=arguments.quick)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    every = ",".join(map(str, sorted(_ON_ONE | _ON_THEIR_OWN)))
    parser.add_argument(
        "--rows", type=_rows, default=_rows(every), help=f"which, such as 1,3; default: {every}"
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller sizes")
    return parser.parse_args()


def _rows(text: str) -> frozenset[int]:
    rows = frozenset(int(word) for word in text.split(","))
    if unknown := rows - _ON_ONE.keys() - _ON_THEIR_OWN.keys():
        raise argparse.ArgumentTypeError(f"there is no row {', '.join(map(str, unknown))}")
    return rows


@contextlib.contextmanager
def _told(row: int) -> Iterator[None]:
    began = time.perf_counter()
    print(f"row {row} …", end=" ", flush=True)
    yield
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
