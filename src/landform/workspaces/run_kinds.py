"""What a run that nobody is there for does: one of a schedule, or of a push."""

from enum import StrEnum


class RunKind(StrEnum):
    """A plan, or a plan and its apply, with or without being asked again in between."""

    PLAN = "plan"
    APPLY = "apply"
    CONFIRMED_APPLY = "confirmed-apply"
    DESTROY = "destroy"
    CONFIRMED_DESTROY = "confirmed-destroy"

    @property
    def plan_only(self) -> bool:
        """Tell whether nothing is applied."""
        return self is RunKind.PLAN

    @property
    def is_destroy(self) -> bool:
        """Tell whether everything is to be destroyed."""
        return self in (RunKind.DESTROY, RunKind.CONFIRMED_DESTROY)

    @property
    def auto_apply(self) -> bool:
        """Tell whether the plan is applied without being asked again."""
        return self in (RunKind.APPLY, RunKind.DESTROY)
