"""When the long pass of the garbage collector is made: in a quiet moment after somebody left."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from workbench.ui.server.garbage import BUSY, PATIENCE, SETTLED, TICK, Garbage


class Ring:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.me = self


class Clock:
    """Time and processor time, set by hand."""

    now = spent = 0.0

    def pass_by(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.spent += share * seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def garbage(clock: Clock) -> Iterator[Garbage]:
    gc.collect()
    gc.disable()
    yield Garbage(lambda: clock.now, lambda: clock.spent)
    gc.unfreeze()
    gc.enable()


def dropped() -> weakref.ref[Ring]:
    return weakref.ref(Ring())


def test_an_open_page_is_set_aside_once_it_has_settled(garbage: Garbage, clock: Clock) -> None:
    garbage.opened()
    clock.pass_by(0.5 * SETTLED, 0.0)
    garbage.tick()
    assert gc.get_freeze_count() == 0
    garbage.opened()  # another one does not put it off
    clock.pass_by(0.6 * SETTLED, 1.0)
    page = dropped()
    garbage.tick()
    assert gc.get_freeze_count() > 0
    gc.collect()
    assert page() is not None  # the passes of Python and Panel do not look at it


def test_what_a_page_left_is_freed_in_a_quiet_moment(garbage: Garbage, clock: Clock) -> None:
    page = dropped()
    gc.freeze()
    garbage.left(None)
    for _ in range(10):
        clock.pass_by(TICK, 2.0 * BUSY)
        garbage.tick()
    assert page() is not None
    clock.pass_by(TICK, 0.5 * BUSY)
    garbage.tick()
    assert page() is None
    assert gc.get_freeze_count() > 0


def test_people_who_are_always_busy_wait_for_it_once_in_a_while(garbage: Garbage, clock: Clock) -> None:
    page = dropped()
    gc.freeze()
    garbage.left(None)
    while clock.now < PATIENCE:
        assert page() is not None
        clock.pass_by(TICK, 1.0)
        garbage.left(None)  # somebody else
        garbage.tick()
    clock.pass_by(TICK, 1.0)
    garbage.tick()
    assert page() is None


def test_nothing_is_collected_when_nobody_left(garbage: Garbage, clock: Clock) -> None:
    page = dropped()
    for _ in range(5):
        clock.pass_by(60.0, 0.0)
        garbage.tick()
    assert page() is not None
    assert gc.get_freeze_count() == 0
