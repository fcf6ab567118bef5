"""A page answers what a person changes, and keeps silent while the program sets its widgets."""

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import pytest

from workbench.ui.server.parts_cache import Cache
from workbench.ui.shell.binding import Binding
from workbench.ui.shell.layout import single
from workbench.ui.shell.page import Page


@pytest.fixture
def slider() -> pn.widgets.IntSlider:
    return pn.widgets.IntSlider(value=0, end=10)


def bound(*widgets: Any, to: str = "value") -> tuple[Binding, list[Any]]:
    """A binding of ``widgets``, and the list to which it answers with every new value."""
    binding, heard = Binding(), list[Any]()
    binding.bind(lambda event: heard.append(event.new), *widgets, to=to)
    return binding, heard


def test_a_persons_change_is_answered_and_the_programs_is_not(slider: pn.widgets.IntSlider) -> None:
    binding, heard = bound(slider)
    slider.value = 1
    with binding.by_program():
        slider.value = 2
    slider.value = 3
    assert heard == [1, 3]


def test_of_several_widgets_the_event_says_which(slider: pn.widgets.IntSlider) -> None:
    other, events = pn.widgets.TextInput(), list[Any]()
    Binding().bind(events.append, slider, other)
    other.value = "word"
    assert [(event.obj, event.old, event.new) for event in events] == [(other, "", "word")]


def test_another_parameter_than_the_value(slider: pn.widgets.IntSlider) -> None:
    _, heard = bound(slider, to="end")
    slider.value = 4
    slider.end = 20
    assert heard == [20]


def test_blocks_stand_in_each_other(slider: pn.widgets.IntSlider) -> None:
    binding, heard = bound(slider)
    with binding.by_program():
        with binding.by_program():
            slider.value = 1
        slider.value = 2  # the outer block goes on
        assert binding.setting
    assert not binding.setting
    slider.value = 3
    assert heard == [3]


def test_after_an_error_a_person_is_heard_again(slider: pn.widgets.IntSlider) -> None:
    binding, heard = bound(slider)
    with pytest.raises(ValueError, match="no such task"), binding.by_program(), binding.by_program():
        raise ValueError("no such task")
    slider.value = 1
    assert heard == [1]


def test_an_answer_that_fails_leaves_nothing_behind(slider: pn.widgets.IntSlider) -> None:
    binding, heard = bound(slider)

    def fail(event: Any) -> None:
        with binding.by_program():
            raise ValueError("it broke")

    binding.bind(fail, slider)
    with pytest.raises(ValueError, match="it broke"):
        slider.value = 1
    assert not binding.setting
    assert heard == [1]


def test_a_widget_that_changes_another(slider: pn.widgets.IntSlider) -> None:
    """A person's change whose answer sets another widget: one answer, or two where the answer does not say that it sets."""
    follower = pn.widgets.IntSlider(value=0, end=10)
    binding, heard = bound(follower)

    def follow(event: Any) -> None:
        with binding.by_program():
            follower.value = event.new

    binding.bind(follow, slider)
    slider.value = 5
    assert (follower.value, heard) == (5, [])
    loose, heard = bound(follower)
    loose.bind(lambda event: setattr(follower, "value", event.new), slider)
    slider.value = 6
    assert (follower.value, heard) == (6, [6])


def test_the_programs_change_passes_through_widgets_in_between(slider: pn.widgets.IntSlider) -> None:
    """A control made of several widgets reports what the program set in it as the program's."""
    whole = pn.widgets.IntInput()
    slider.param.watch(lambda event: setattr(whole, "value", event.new), "value")
    binding, heard = bound(whole)
    with binding.by_program():
        slider.value = 7
    assert (whole.value, heard) == (7, [])
    slider.value = 8
    assert heard == [8]


def test_bindings_are_apart(slider: pn.widgets.IntSlider) -> None:
    first, heard = bound(slider)
    _, also_heard = bound(slider)
    with first.by_program():
        slider.value = 1
    assert (heard, also_heard) == ([], [1])


def test_while_another_thread_sets_a_person_is_heard(slider: pn.widgets.IntSlider) -> None:
    binding, heard = bound(slider)
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with binding.by_program():
            entered.set()
            leave.wait(30)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert entered.wait(30)
        slider.value = 1
    finally:
        leave.set()
        worker.join()
    assert heard == [1]


class Sum(Page):
    """Two sliders that a link names, and what was answered to a person."""

    name: ClassVar[str] = "sum"
    title: ClassVar[str] = "Sum"
    layout: ClassVar[str] = single()

    def __init__(self, arguments: Mapping[str, str]) -> None:
        super().__init__(arguments, Cache())
        self.answers: list[int] = []
        self.sliders = [pn.widgets.IntSlider(value=0, end=10) for _ in "ab"]
        self.binding.bind(self._changed, *self.sliders)
        self.restore(arguments)
        self.changed()

    def _changed(self, _: Any) -> None:
        self.answers.append(sum(slider.value for slider in self.sliders))
        self.changed()

    def panels(self) -> Mapping[str, Any]:
        return {"main": pn.Row(*self.sliders)}

    def state(self) -> dict[str, Any]:
        return {name: slider.value for name, slider in zip("ab", self.sliders, strict=True)}

    def restore(self, arguments: Mapping[str, str]) -> None:
        with self.binding.by_program():
            for name, slider in zip("ab", self.sliders, strict=True):
                slider.value = int(arguments.get(name, 0))


def test_a_link_is_restored_without_an_answer() -> None:
    page = Sum({"a": "3", "b": "4"})
    assert (page.state(), page.answers) == ({"a": 3, "b": 4}, [])
    page.sliders[0].value = 5
    assert page.answers == [9]


def test_undo_and_redo_set_both_widgets_and_add_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr("workbench.ui.shell.page.time.monotonic", lambda: float(next(seconds)))
    page = Sum({"a": "1", "b": "1"})
    page.sliders[0].value = 2
    page.sliders[1].value = 7
    assert page.answers == [3, 9]
    for press, state, can in (
        ("undo", {"a": 2, "b": 1}, {"undo": True, "redo": True}),
        ("undo", {"a": 1, "b": 1}, {"undo": False, "redo": True}),
        ("redo", {"a": 2, "b": 1}, {"undo": True, "redo": True}),
        ("redo", {"a": 2, "b": 7}, {"undo": True, "redo": False}),
    ):
        page.toolbar._handle_msg({"press": press})
        assert (page.state(), page.toolbar.can) == (state, can)
    assert page.answers == [3, 9]
