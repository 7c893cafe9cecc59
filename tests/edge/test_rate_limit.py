"""How much each caller may ask for, and that to count it takes bounded memory."""

import pytest

from landform.edge.allowances import Allowances
from landform.kit.addresses import network_of


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(allowances: Allowances, token: str = "", address: str = "192.0.2.1") -> int:
    """Return how many requests the caller can make now."""
    count = 0
    while allowances.take(token, address).left >= 0:
        count += 1
    return count


@pytest.mark.parametrize("per_second", [1, 3, 7, 30, 1000])
def test_a_second_s_worth_may_be_asked_at_once_and_then_as_fast_as_the_limit(
    clock: Clock, per_second: int
) -> None:
    allowances = Allowances(per_second, clock=clock)
    assert allowances.take("", "192.0.2.1").left == per_second - 1
    assert taken(allowances) == per_second - 1
    wait_s = allowances.take("", "192.0.2.1").wait_s
    assert wait_s == pytest.approx(1 / per_second, rel=0.01)
    clock.now_s += wait_s
    assert taken(allowances) == 1
    clock.now_s += 0.5
    assert taken(allowances) == per_second // 2
    clock.now_s += 3600
    assert taken(allowances) == per_second


def test_each_accepted_token_has_a_measure_of_its_own_wherever_it_comes_from(
    clock: Clock,
) -> None:
    allowances = Allowances(5, clock=clock)
    allowances.accept("one")
    allowances.accept("other")
    assert taken(allowances, "one") == 5
    assert taken(allowances, "one", "198.51.100.7") == 0
    assert taken(allowances, "other") == 5
    assert taken(allowances) == 5


def test_tokens_that_nobody_has_come_out_of_their_address_s_measure(clock: Clock) -> None:
    allowances = Allowances(5, clock=clock)
    guesses = [allowances.take(f"guess-{number}", "192.0.2.1").left for number in range(8)]
    assert guesses == [4, 3, 2, 1, 0, -1, -1, -1]
    assert taken(allowances, "", "192.0.2.2") == 5


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    allowances = Allowances(5, most=100, clock=clock)
    for number in range(1000):
        allowances.take("", f"198.51.{number // 256}.{number % 256}")
        allowances.accept(f"token-{number}")
    assert len(allowances) <= 200
    assert taken(allowances, "token-999") == 5


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a host", "a host"),
        ("", ""),
    ],
)
def test_a_caller_is_an_address_or_all_that_one_caller_can_have(address: str, network: str) -> None:
    assert network_of(address) == network
