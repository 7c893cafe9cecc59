"""What runs of one workspace should do, said once more and simply; nothing of the product's rules.

Statuses are TFE's words. `Refused` means: the service must raise, and change nothing.
"""

from dataclasses import dataclass, field
from typing import Final

OVER: Final = {"planned_and_finished", "applied", "discarded", "errored", "canceled"}
TURN: Final = {"plan_queued", "planning", "planned", "apply_queued", "applying"}
PERSON: Final = "a person"


class Refused(Exception):  # noqa: N818 - it is no error, it is the model's answer
    """The step must be refused."""


@dataclass
class ModelRun:
    """What is known of one run."""

    id: str
    kind: str  # ordinary, plan-only or saved
    auto_apply: bool
    status: str = "pending"
    attempts: int = 0
    has_changes: bool = False
    asked_to_stop: bool = False
    planned_on: int = 0

    @property
    def takes_turn(self) -> bool:
        """Ordinary runs always, saved plans once they are to be applied."""
        if self.kind == "saved":
            return self.status in ("apply_queued", "applying")
        return self.kind == "ordinary" and self.status in TURN


@dataclass
class Model:
    """One workspace: its runs in order, who holds its lock, how often its state changed."""

    runs: list[ModelRun] = field(default_factory=list)
    holder: str | None = None
    state: int = 0

    def create(self, run: ModelRun) -> None:
        self.runs.append(run)
        if run.kind == "ordinary":
            self._advance()
        else:
            run.status = "plan_queued"

    def begin(self, run: ModelRun) -> bool:
        """Tell whether there is something to do for a worker."""
        if run.status == "plan_queued":
            run.status, run.planned_on = "planning", self.state
            run.attempts += 1
            return True
        if run.status == "apply_queued" and run.planned_on == self.state:
            run.status = "applying"
            return True
        if run.status == "apply_queued":
            self._end(run, "errored")
        return False

    def finish(self, run: ModelRun, outcome: str, *, has_changes: bool, lost: bool) -> None:
        planning = run.status == "planning"
        if planning and run.asked_to_stop:
            outcome = "canceled"
        if outcome != "finished":
            self._end(run, outcome, keep_lock=lost)
        elif not planning:
            self._end(run, "applied")
        else:
            run.has_changes = has_changes
            self._planned(run)

    def write_state(self) -> None:
        self.state += 1

    def confirm(self, run: ModelRun) -> None:
        waits = run.status in ("planned", "planned_and_saved")
        if not (waits and run.has_changes and run.planned_on == self.state):
            raise Refused
        self._confirm(run)

    def discard(self, run: ModelRun) -> None:
        if run.status not in ("pending", "planned", "planned_and_saved"):
            raise Refused
        self._end(run, "discarded")

    def cancel(self, run: ModelRun) -> None:
        if run.status in OVER | {"planned", "planned_and_saved"} or run.asked_to_stop:
            raise Refused
        if run.status in ("planning", "applying"):
            run.asked_to_stop = True
        else:
            self._end(run, "canceled")

    def lock(self) -> None:
        if self.holder is not None:
            raise Refused
        self.holder = PERSON

    def unlock(self) -> None:
        if self.holder != PERSON:
            raise Refused
        self.holder = None
        self._discard_stale()
        self._advance()

    def force_unlock(self) -> None:
        if self.holder is None or any(run.takes_turn for run in self.runs if run.id == self.holder):
            raise Refused
        self.holder = None
        self._discard_stale()
        self._advance()

    def lose_worker(self, run: ModelRun) -> None:
        if run.status == "applying":
            self._end(run, "errored", keep_lock=True)
        elif run.asked_to_stop:
            self._end(run, "canceled")
        elif run.attempts < 3:
            run.status = "plan_queued"
        else:
            self._end(run, "errored")

    def _planned(self, run: ModelRun) -> None:
        if run.kind == "plan-only" or not run.has_changes:
            self._end(run, "planned_and_finished")
        elif run.kind == "saved":
            run.status = "planned_and_saved"
            self._discard_stale()
        else:
            run.status = "planned"
            if run.auto_apply:
                self._confirm(run)

    def _confirm(self, run: ModelRun) -> None:
        if self.holder == run.id:
            run.status = "apply_queued"
        else:
            run.status = "confirmed"
            self._advance()

    def _end(self, run: ModelRun, status: str, *, keep_lock: bool = False) -> None:
        run.status = status
        if self.holder == run.id and not keep_lock:
            self.holder = None
        self._discard_stale()
        self._advance()

    def _discard_stale(self) -> None:
        for run in self.runs:
            if run.status == "planned_and_saved" and run.planned_on != self.state:
                run.status = "discarded"

    def _advance(self) -> None:
        if self.holder is not None:
            return
        for waiting, queued in (("confirmed", "apply_queued"), ("pending", "plan_queued")):
            for run in self.runs:
                if run.status == waiting:
                    run.status, self.holder = queued, run.id
                    return
