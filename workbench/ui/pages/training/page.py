"""The page of training: start a run, watch it, stop it and go on, and look back at any of its moments."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn

from workbench.engine.words import UserError
from workbench.runs.launched import Training
from workbench.runs.notes import PROGRESS
from workbench.ui.canvas.bokeh_figures import follow_theme, pane
from workbench.ui.canvas.landscape_figures import plane_figure, show_plane
from workbench.ui.controls.notice import number_pane, numbers
from workbench.ui.controls.rule import STYLE, QuickSlider, choice
from workbench.ui.pages.store_page import StorePage
from workbench.ui.pages.training.draw import loss_figure, show_losses, show_values, value_figure
from workbench.ui.pages.training.exports import snapshots_of
from workbench.ui.pages.training.form import Form
from workbench.ui.pages.training.run_buttons import RunButtons
from workbench.ui.server.fault import told
from workbench.ui.server.lab import one_user, trainings
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.bring import OWN, check_mine, mine
from workbench.views.rows import training_rows
from workbench.views.training import Look, Moment, Seen, as_csv, curves, see

log = logging.getLogger(__name__)
NO_LOG = "There is no log yet; start a training, or wait for its first report."
NOTHING = (
    ("Values over the run", "How much the critic promises, update by update, will be drawn here."),
    ("The landscape at one moment", "Snapshots of the critic, to look back at, will be drawn here."),
)
WORDS = {
    "running": "Running",
    "pausing": "Saving…",
    "paused": "Paused",
    "finished": "Finished",
    "failed": "Failed",
}


class TrainingPage(StorePage):
    """One user's page of training."""

    name: ClassVar[str] = "training"
    title: ClassVar[str] = "Training"
    interval: ClassVar[float] = 0.5
    layout: ClassVar[str] = sidebar({"values": "Values over the run", "moment": "The landscape at one moment"})
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-start", "Start a training", "It runs in a process of its own: reload the page, it goes on."),
        Stop(
            ".wb-buttons", "Pause and go on", "A pause saves everything; going on gives the same bits as never pausing."
        ),
        Stop(
            ".wb-slot-values",
            "Values over the run",
            "Q of QGF's actions above Q of the behaviour's: what steering promises.",
        ),
        Stop(".wb-slot-moment", "Look back", "Snapshots along the run: move the slider and see the critic learn."),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.wanted = arguments.get("training", "")
        self.at = _step_of(arguments)
        self.dataset = arguments.get("dataset", "")  # the own data that the link names, until they are offered
        self.training: Training | None = None
        self.moments: dict[int, Moment] = {}
        self._drawn: tuple[Any, ...] = ()
        self._reports = -1
        self._looks: Latest[Look, Seen] = Latest(see, self.later(self._show_seen))
        self.owner.param.watch(lambda _: self._list(), "secret")
        self._head = number_pane(numbers("Training", "Looking for your trainings…", []))
        self._losses, self._values, self._plane = loss_figure(), value_figure(), plane_figure()
        follow_theme([self._losses.figure, self._values.figure, self._plane.figure], self.document)
        self.form = Form(lambda order: self.do(lambda: self._begin(order)), self.changed)
        self.form.restore(arguments)
        self.buttons = RunButtons(self, self._show_named)
        self._nothing = tuple(number_pane(numbers(title, words, [])) for title, words in NOTHING)
        self._pictures: tuple[Any, ...] = ()
        self._make_controls()
        self._describe()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Form and list on the left; numbers and losses; values; one moment."""
        losses = pane(self._losses.figure, height=250, css_classes=["wb-losses"])
        plane = pn.Column(
            pane(self._plane.figure), margin=0, max_width=330, sizing_mode="stretch_width", css_classes=["wb-plane"]
        )
        moment = pn.Column(self.scrub, plane, sizing_mode="stretch_width", margin=0)
        self._pictures = (losses, pane(self._values.figure, min_height=220), moment)
        self._show_pictures()
        return {
            "controls": pn.Column(
                self.owner, self.form, self.pick, self.buttons, sizing_mode="stretch_width", margin=0
            ),
            "main": pn.Column(
                self.notice,
                self._head,
                losses,
                sizing_mode="stretch_width",
                margin=0,
                min_height=110,  # so that the notice has its place where nothing is drawn yet
                styles={"position": "relative"},
            ),
            "values": pn.Column(self._nothing[0], self._pictures[1], sizing_mode="stretch_both", margin=0),
            "moment": pn.Column(self._nothing[1], moment, sizing_mode="stretch_width", margin=0),
        }

    def _show_pictures(self) -> None:
        """Pictures where there is a training, else words in their place: empty axes would say nothing."""
        for picture in self._pictures:
            picture.visible = self.training is not None
        for words in self._nothing:
            words.visible = self.training is None

    def state(self) -> dict[str, Any]:
        """Which training, and which moment of it; and what the form says."""
        chosen = {} if self.training is None else {"training": self.training.name}
        data = {"dataset": self.form.dataset} if self.form.dataset else {}
        return self.form.state() | chosen | ({} if self.at < 0 else {"step": self.at}) | data

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Choose the training and the moment that the link names, and fill in the form."""
        self.form.restore(arguments)
        self.wanted, self.at = arguments.get("training", ""), _step_of(arguments)
        self.dataset = arguments.get("dataset", "")
        self._list()

    def code(self) -> str:
        """The run in a notebook: its parts at this moment."""
        if self.training is None:
            raise UserError("Choose or start a training first; then this gives the code that reads it.")
        return snippets.training(str(self.training.run), self.training.task, self.at)

    def sheet(self) -> Sheet:
        """Losses, values, and the landscape; the saved page scrubs through the snapshots."""
        training = self.training
        if training is None or self._reports < 1:
            raise UserError(NO_LOG)
        rows = [[self._losses.figure], [self._values.figure, self._plane.figure]]
        return Sheet(rows, str(self._head.object), lambda: snapshots_of(self._plane, training))

    def exports(self) -> tuple[Export, ...]:
        """The log."""
        return (
            Export("CSV, losses and values", "training.csv", "text/csv", self._csv),
            Export("Log, one JSON line a report", "progress.jsonl", "application/jsonl", self._log),
        )

    def close(self) -> None:
        """Forget what waits, and a data file that was sent; the training itself goes on."""
        self.form.own.close()
        self._looks.drop()

    # Controls

    def _make_controls(self) -> None:
        self.pick = choice("Trainings", {"none yet": ""}, "", css_classes=["wb-pick"])
        self.binding.bind(self._picked, self.pick)
        self.scrub = QuickSlider(
            label="Snapshot at update",
            start=0,
            end=1,
            value=1,
            stylesheets=[STYLE],
            margin=0,
            disabled=True,
            sizing_mode="stretch_width",
            css_classes=["wb-slider", "wb-snapshots"],
        )
        self.binding.bind(self._scrubbed, self.scrub)

    def _begin(self, order: dict[str, Any]) -> None:
        if order["task"].startswith(OWN):
            check_mine(order["task"].removeprefix(OWN), self.secret(), one_user())
        training = trainings().start(self.secret(), **order)
        self.wanted, self.at = training.name, -1
        self._list()

    def _show_named(self, name: str) -> None:
        self.training, self.wanted, self.at = None, name, -1
        self._list()

    def _list(self) -> None:
        """Read which trainings there are, and choose the wanted one, else the newest."""
        if not self.owner.secret:
            return
        own, wanted = mine(self.owner.secret, one_user()), self.dataset
        self.form.offer(own, wanted)
        if wanted and wanted not in own:
            self.notice.say("hint", "The dataset that this link names is not here, or is not yours.")
        self.dataset = ""
        offered = trainings().visible(self.owner.secret)
        names = {_label(training): training.name for training in offered}
        with self.held():
            chosen = next((one for one in offered if one.name == self.wanted), offered[0] if offered else None)
            with self.binding.by_program():
                self.pick.options = names or {"none yet": ""}
                self.pick.value = chosen.name if chosen is not None else ""
            if self.wanted and (chosen is None or chosen.name != self.wanted):
                self.notice.say(
                    "hint", "The training that this link names is not here, or its owner does not share it."
                )
            self._choose(chosen)

    def _picked(self, event: Any) -> None:
        self.wanted, self.at = event.new, -1
        self._list()

    def _choose(self, training: Training | None) -> None:
        if training is not self.training:
            self.training, self.moments, self._drawn, self._reports = training, {}, (), -1
        self.wanted = "" if training is None else training.name
        self.changed()
        self.follow()

    def _scrubbed(self, event: Any) -> None:
        self.at = int(event.new)
        self.changed()
        self._look_back()

    # Watching

    def look(self) -> None:
        """Show the chosen training, which may have gone on, and how the check of a data file stands."""
        self.form.own.look()
        if (self.training is not None and self.training.state in ("running", "pausing")) or self._reports >= 0:
            self.follow()

    def follow(self) -> None:
        """Show what the run folder says now; nothing is sent when nothing changed."""
        training = self.training
        if training is None:
            self._describe()
            return
        reports = training.progress()
        now = (training.name, training.state, len(reports), training.shared, training.folder.exists())
        if now == self._drawn:
            return
        self._drawn = now
        if len(reports) != self._reports:
            self._reports = len(reports)
            show_losses(self._losses, curves(reports), reports[-1]["total"] if reports else 1)
        self._describe()
        self._look_back()

    def _look_back(self) -> None:
        """Ask for the moment that the slider says, and for those of the snapshots that have come."""
        if self.training is not None and (self.training.run / "run.json").exists():
            self._looks.ask(Look(self.training, self.at, frozenset(self.moments)))

    def _show_seen(self, look: Look, seen: Seen | None, error: Exception | None) -> None:
        if look.training is not self.training or seen is None:
            if seen is None:
                log.info("no look at %s: %s", look.training.name, error)
                self.notice.say("error", f"This training cannot be looked at. {told(error)}")
            return
        with self.held():
            self.moments |= {one.step: one for one in seen.moments}
            total = seen.steps[-1] if seen.steps else 1
            reports = look.training.progress()
            show_values(self._values, list(self.moments.values()), reports[-1]["total"] if reports else total)
            if seen.steps:
                with self.binding.by_program():
                    self.scrub.param.update(
                        end=max(seen.steps[-1], 1),
                        value=seen.step,
                        step=max(1, seen.steps[-1] // max(1, len(seen.steps) - 1)),
                        disabled=len(seen.steps) < 2,
                    )
            if seen.terrain is not None:
                show_plane(self._plane, seen.terrain, seen.terrain.values, image=True)

    def _describe(self) -> None:
        training = self.training
        self.buttons.follow(training)
        self._show_pictures()
        if training is None:
            words = "Choose a task and press Start; built-in tasks make their own data. The losses then appear here."
            self._head.object = numbers("No training yet", words, [])
            return
        reports = training.progress()
        last = reports[-1] if reports else None
        settings = ", ".join(f"{key} {json.dumps(value)}" for key, value in training.settings.items())
        phase = "" if last is None else f"; now: {last['phase']}"
        self._head.object = numbers(
            training.task,
            (settings or "the task's own settings") + phase,
            training_rows(WORDS[training.state], training.state == "running", last),
        )
        if training.state == "failed":
            self.notice.say("error", f"This training failed. {training.error}")

    def _csv(self) -> bytes:
        if self.training is None or not (reports := self.training.progress()):
            raise UserError(NO_LOG)
        return as_csv(reports, list(self.moments.values()))

    def _log(self) -> bytes:
        if self.training is None or not (self.training.run / PROGRESS).exists():
            raise UserError(NO_LOG)
        return (self.training.run / PROGRESS).read_bytes()


def _label(training: Training) -> str:
    """Task, day and hour, and what tells it from others of the same minute."""
    when, mark = time.strftime("%d %b %H:%M", time.localtime(training.created)), training.name[-6:]
    return f"{training.task}, {when}, {mark}"


def _step_of(arguments: Mapping[str, str]) -> int:
    word = arguments.get("step", "")
    return int(word) if word.isdecimal() and len(word) < 10 else -1
