"""How pages write what people read."""

import pytest

from landform.web.present.text import duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (0.36, "0.4 s"),
        (3, "3 s"),
        (3.0, "3.0 s"),
        (-1.0, "0.0 s"),
        (42.7, "42 s"),
        (185.0, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_short_times_are_told_in_tenths_and_long_ones_in_what_matters(
    seconds: float, said: str
) -> None:
    assert duration(seconds) == said
