"""What the pages over the store share: the browser's secret, refused buttons, and reading the store when it has changed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from workbench.engine.words import UserError
from workbench.experiments.store import Store
from workbench.ui.pages import store_page
from workbench.ui.pages.budget.page import BudgetPage
from workbench.ui.pages.runs.page import RunsPage
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.pages.training.page import TrainingPage
from workbench.ui.server.lab import sweeps
from workbench.ui.shell.layout import single


class Names(StorePage):
    """The smallest page over the store: which files it has."""

    name: ClassVar[str] = "names"
    title: ClassVar[str] = "Names"
    layout: ClassVar[str] = single()

    def __init__(self, arguments: Mapping[str, str] = {}) -> None:
        super().__init__(arguments)
        self.shown: list[list[str]] = []
        self.followed = 0
        self.reading = StoreReading(self, lambda store: [] if store is None else self._names(store), self.shown.append)

    def _names(self, store: Store) -> list[str]:
        return [row.key for row in store.rows()]

    def panels(self) -> Mapping[str, Any]:
        return {"main": self.notice}

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Nothing."""

    def look(self) -> None:
        self.reading.look()

    def follow(self) -> None:
        self.followed += 1


class AtOnce:
    """As `Latest`, but the answer comes at once."""

    busy = False

    def __init__(self, work: Any, deliver: Any) -> None:
        self._work, self._deliver = work, deliver

    def ask(self, question: Any) -> None:
        try:
            answer = self._work(question)
        except ValueError as error:
            self._deliver(question, None, error)
        else:
            self._deliver(question, answer, None)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(store_page, "Latest", AtOnce)
    sweeps.cache_clear()
    yield Names()
    sweeps.cache_clear()


@pytest.mark.parametrize("kind", [BudgetPage, RunsPage, TrainingPage])
def test_the_three_pages_stand_on_it_and_repeat_nothing(kind: type) -> None:
    assert issubclass(kind, StorePage)
    assert not {"secret", "do", "keep_looking"} & set(vars(kind))


def test_the_secret_is_the_browsers(page: Names) -> None:
    with pytest.raises(ValueError, match="has not said who you are"):
        page.secret()
    page.owner.secret = "0" * 32
    assert page.secret() == "0" * 32


def test_a_refusal_is_said_in_its_own_words_and_the_next_success_clears_it(page: Names) -> None:
    done: list[int] = []

    def refuse() -> None:
        raise ValueError("two trainings run already")

    page.do(refuse)
    assert page.notice.visible
    assert "two trainings run already" in page.notice.text
    page.do(lambda: done.append(1))
    assert (done, page.notice.visible, page.followed) == ([1], False, 2)


def test_a_mistake_of_ours_is_no_refusal(page: Names) -> None:
    page.do(lambda: 1 / 0)
    assert "a fault of the workbench" in page.notice.text
    assert "ZeroDivisionError" in page.notice.text


def test_the_store_is_read_once_for_each_of_its_changes(page: Names, tmp_path: Path) -> None:
    page.look()
    page.look()
    assert page.shown == [[]]  # there is no store yet, and that is said once
    sweeps().store()
    page.look()
    page.look()
    assert page.shown == [[], []]
    page.reading.look(anyway=True)
    assert len(page.shown) == 3
    page.reading.forget()
    page.look()
    assert len(page.shown) == 4


def test_while_it_is_being_read_it_is_not_asked_for_again(page: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtOnce, "busy", True)
    assert not page.reading.look(anyway=True)
    monkeypatch.setattr(AtOnce, "busy", False)
    assert page.reading.look()  # the change is still to be read
    assert page.shown == [[]]


def test_a_store_that_cannot_be_read_is_said(page: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(store: Store) -> list[str]:
        raise UserError("the disk is gone")

    sweeps().store()
    monkeypatch.setattr(page.reading, "_read", fail)
    page.look()
    assert page.shown == []
    assert "The store could not be read. the disk is gone" in page.notice.text
