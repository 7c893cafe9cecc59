"""What comes while others are done is done together after them."""

import asyncio
from collections.abc import Sequence

import pytest

from landform.kit.gathering import Gathering


class Doer:
    """Notes what it is asked for at once; does nothing before it may."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may = asyncio.Event()

    async def do_all(self, items: Sequence[int]) -> list[str | Exception]:
        self.asked.append(list(items))
        await self.may.wait()
        if 13 in items:
            raise OSError("all of it")
        return [ValueError(str(item)) if item < 0 else str(item) for item in items]


async def begin(
    gathering: Gathering[int, str], doer: Doer, *items: int
) -> list["asyncio.Task[str]"]:
    """Ask for each, after the first has begun to be done."""
    tasks = []
    for item in items:
        tasks.append(asyncio.create_task(gathering.do(item, doer.do_all)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_one_is_done_is_done_together_in_order() -> None:
    gathering, doer = Gathering[int, str](most=3), Doer()
    tasks = await begin(gathering, doer, 1, 2, 3, 4, 5)
    doer.may.set()
    assert await asyncio.gather(*tasks) == ["1", "2", "3", "4", "5"]
    assert doer.asked == [[1], [2, 3, 4], [5]]
    assert await gathering.do(6, doer.do_all) == "6"


async def test_each_gets_its_own_failure_and_all_that_of_the_whole() -> None:
    gathering, doer = Gathering[int, str](most=3), Doer()
    tasks = await begin(gathering, doer, 1, 2, -3, 4, 13)
    doer.may.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["1", "2", "-3", "4", "all of it"]
    assert isinstance(answers[2], ValueError)
    assert isinstance(answers[4], OSError)


async def test_one_who_does_not_wait_any_more_keeps_nobody_else_from_the_answer() -> None:
    gathering, doer = Gathering[int, str](most=3), Doer()
    tasks = await begin(gathering, doer, 1, 2, 3)
    tasks[0].cancel()
    tasks[1].cancel()
    doer.may.set()
    assert await tasks[2] == "3"
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
