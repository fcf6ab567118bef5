"""The page "Bring your own": drop a dataset or a checkpoint, see what was recognised, and start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import panel as pn

from workbench.engine.words import UserError
from workbench.experiments.imported_runs import ImportedRun
from workbench.plots.markup import Markup
from workbench.runs.bring import Upload
from workbench.runs.owner import digest
from workbench.runs.scratch import scratch_folder
from workbench.ui.canvas.bokeh_figures import pane
from workbench.ui.controls.drop import SHELF, Drop
from workbench.ui.controls.rule import STYLE as CONTROLS
from workbench.ui.pages.bring.card import Card
from workbench.ui.pages.bring.form import CheckpointForm, ColumnForm
from workbench.ui.pages.bring.imports import Imports
from workbench.ui.pages.bring.kept import Kept
from workbench.ui.pages.bring.words import STYLE, opened_run
from workbench.ui.pages.bring.work import Work
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.lab import one_user, served_data, sweeps
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Stop
from workbench.views import bring, imports
from workbench.views.policies import RUN

EXAMPLE = "three_exits.npz"
NO_PICTURE = "There is no picture yet: bring a dataset, or try the example."


class BringPage(StorePage):
    """One visitor's page of own files."""

    name: ClassVar[str] = "bring"
    title: ClassVar[str] = "Bring your own"
    interval: ClassVar[float] = 0.4
    layout: ClassVar[str] = sidebar(
        {"actions": "Actions of the data", "lengths": "Lengths of the episodes"}, controls="Files"
    )
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-place", "Drop a file", "A dataset, a checkpoint with its flags.json, or a whole folder."),
        Stop(".wb-example", "Or try an example", "A small dataset of three exits is made, and read like any other."),
        Stop(".wb-main", "See what it is", "What was recognised and what would be left out, before anything is kept."),
        Stop(".wb-kept", "What you keep", "Your datasets: train on them, or remove them."),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.anybody = one_user()
        self.upload: Upload | None = None
        self.path: Path | None = None  # what is looked at: of the upload, or of the folder that the server opens
        self.file = ""  # what people call it
        self.found: dict[str, Any] = {}  # what an errand said of it
        self.work = Work()
        self._moves: Latest[tuple[Path, str, str], str] = Latest(
            lambda asked: imports.into_store(*asked), self.later(self._imported)
        )
        self.card = Card(self.document)
        self._make_controls()
        self.kept.wanted = arguments.get("dataset", "")
        self.owner.param.watch(lambda event: self.kept.list(event.new, self.anybody), "secret")
        self.keep_looking()

    # What the shell asks

    def panels(self) -> Mapping[str, Any]:
        """Files on the left; what was recognised; two histograms."""
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        files = [self.owner, self.drop, self.where, self.example, self.columns, self.train, self.checkpoint]
        return {
            "controls": pn.Column(*files, self.kept, self.imports, **wide),
            "main": pn.Column(self.notice, self.card.words, self.links, styles={"position": "relative"}, **wide),
            "actions": pane(self.card.actions, min_height=190),
            "lengths": pane(self.card.lengths, min_height=190),
        }

    def state(self) -> dict[str, Any]:
        """The dataset that is shown, where it is kept: files that were only dropped are nobody else's."""
        return {"dataset": self.kept.shown} if self.kept.shown and not self.file else {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Show the dataset that the link names."""
        self._drop_files()
        self.card.nothing()
        self.kept.wanted = arguments.get("dataset", "")
        self.kept.list(self.owner.secret, self.anybody)

    def code(self) -> str:
        """The same in a notebook, and on the command line."""
        if self.found.get("kind") == "checkpoint":
            rule, reading = bring.rule_for(self.found), self.checkpoint.reading()
            return bring.checkpoint_code(self.file, self.checkpoint.named, reading, rule)
        if self.file:
            return bring.dataset_code(self.file, self.columns.columns())
        if self.kept.shown:
            return bring.kept_code(self.kept.shown)
        raise UserError("Bring a file first, or try the example; then this gives the code that reads it.")

    def sheet(self) -> Sheet:
        """The two histograms."""
        if "about" not in self.found:
            raise UserError(NO_PICTURE)
        return Sheet([[self.card.actions, self.card.lengths]], str(self.card.words.object))

    def close(self) -> None:
        """The visitor left: nothing that was not kept stays."""
        self._moves.drop()
        self.imports.drop()
        self.drop.drop()
        self._drop_files()

    # Controls

    def _make_controls(self) -> None:
        options: dict[str, Any] = {
            "stylesheets": [CONTROLS],
            "margin": (8, 0, 0, 0),
            "sizing_mode": "stretch_width",
        }
        self.drop = Drop(
            lambda upload: self.do(lambda: self._take(upload)),
            lambda: self.do(self._cancel),
            label="Drop a dataset or a checkpoint here",
            margin=0,
            sizing_mode="stretch_width",
            css_classes=["wb-place"],
        )
        self.where = pn.widgets.TextInput(
            label="Or a path in the server’s data folder",
            placeholder="demos/low_dim.hdf5",
            description=None,
            visible=served_data() is not None,
            css_classes=["wb-where"],
            **options,
        )
        self.binding.bind(lambda event: self.do(lambda: self._opened(event.new)), self.where)
        self.example = pn.widgets.Button(label="Try with an example", css_classes=["wb-example"], **options)
        self.example.on_click(lambda _: self.do(self._example))
        self.columns = ColumnForm(lambda: self.do(self._look_at))
        self.train = pn.widgets.Button(
            label="Keep it, and train on it",
            color="primary",
            visible=False,
            css_classes=["wb-train"],
            **(options | {"stylesheets": []}),
        )
        self.train.on_click(lambda _: self.do(self._keep))
        self.checkpoint = CheckpointForm(lambda: self.do(self._look_at), lambda: self.do(self._import))
        self.kept = Kept(self, self.drop.go, self._show_own)
        self.imports = Imports(self, self.anybody, lambda run: self._show_own(run=run))
        self.links = HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", css_classes=["wb-links"])

    # Files

    def _take(self, upload: Upload) -> None:
        """Files were sent."""
        self._drop_files()
        self.upload = upload
        self.path = upload.path()
        self.file = self.path.name if self.path != upload.folder else "these files"
        self._look_at()

    def _opened(self, text: str) -> None:
        """A path was written: one in the folder that the server's owner permits."""
        if not text.strip():
            return
        path = bring.served_path(text.strip(), served_data())
        self._drop_files()
        self.path, self.file = path, text.strip()
        self._look_at()

    def _example(self) -> None:
        self._drop_files()
        upload = self.upload = SHELF.open()

        def written(_: dict[str, Any]) -> None:
            upload.wrote(EXAMPLE)
            self.path, self.file = upload.path(), EXAMPLE
            self._look_at()

        self._start({"do": "example", "path": str(upload.folder / EXAMPLE)}, "Making a small dataset", written)

    def _look_at(self) -> None:
        """Say what the file is."""
        reading = self.checkpoint.reading() if self.found.get("kind") == "checkpoint" else {}
        order = {"do": "look", "path": str(self.path), "columns": self.columns.columns(), "reading": reading}
        self._start(order, f"Reading {self.file}", self._show_found, self._show_refused)

    def _keep(self) -> None:
        """Convert the data, and go on to Training with them."""
        self.work.check_free()
        bring.check_room(self.secret())
        name, draft = bring.name_for(self.file), bring.draft_folder()
        self.work.scratch = draft

        def written(_: dict[str, Any]) -> None:
            bring.adopt(draft, name)
            self.drop.go(f"./training?dataset={quote(name)}")

        order = {"do": "keep", "path": str(self.path), "columns": self.columns.columns(), "name": name}
        order |= {"out": str(draft), "source": self.file, "owner": digest(self.secret())}
        self._start(order, f"Keeping {self.file}", written)

    def _import(self) -> None:
        """Make a run of the checkpoint."""
        self.work.check_free()
        task, reading = self.checkpoint.chosen(), self.checkpoint.reading()
        if task.startswith(bring.OWN):
            bring.check_mine(task.removeprefix(bring.OWN), self.secret(), self.anybody)
        imports.check_room(sweeps().found(), self.secret())
        self.work.scratch = scratch_folder("import")
        run = self.work.scratch / "run"

        def written(answer: dict[str, Any]) -> None:
            self.work.scratch = None  # the worker's from here on
            self.card.checkpoint(self.file, self.found, answer["notes"])
            self._moves.ask((run, answer["task"], self.secret()))

        order = {"do": "import", "path": str(self.path), "task": task, "out": str(run), "reading": reading}
        self._start(order, f"Importing {self.file}", written)

    def _imported(self, asked: tuple[Path, str, str], name: str | None, error: Exception | None) -> None:
        if name is None:
            self.notice.say("error", f"The run could not be written. {told(error)}")
        elif "action_dim" in self.found:
            rule = bring.rule_for(self.found)
            self.links.object = opened_run(name, asked[1], int(self.found["action_dim"]), rule)

    def _start(
        self,
        order: dict[str, Any],
        doing: str,
        then: Callable[[dict[str, Any]], None],
        refused: Callable[[UserError], None] | None = None,
    ) -> None:
        """Have something done in a process of its own."""
        places = {} if self.upload is None else {self.upload.folder: ""}
        permitted = served_data()
        places |= {} if permitted is None else {permitted: ""}
        self.work.start(order, doing, places, then, refused or (lambda error: self.notice.say("error", str(error))))
        self.follow()

    def look(self) -> None:
        """Ask how far the errand is."""
        if self.work.busy:
            go_on = self.work.ended()
            if go_on is not None:
                self.drop.say("")
                self.drop.holds = self.upload is not None
                go_on()
            self.follow()
        self.imports.look()

    def follow(self) -> None:
        """Say how far it is, and offer what can be done."""
        words = self.work.words()
        for button in (self.train, self.example, self.columns.button, self.checkpoint.start, self.checkpoint.again):
            button.disabled = bool(words)
        if words and (self.drop.words != words or not self.drop.busy):
            self.drop.say(words, busy=True)

    def _cancel(self) -> None:
        """Stop what is being read; what was dropped is forgotten."""
        self._drop_files()
        self.card.nothing()
        self.follow()
        self.changed()

    def _drop_files(self) -> None:
        """Forget the files that were brought, and what was said of them."""
        self.work.cancel()
        if self.upload is not None:
            self.upload.close()
        self.upload, self.path, self.file, self.found = None, None, "", {}
        self.drop.holds = False
        self.links.object = Markup()
        self.columns.offer({})
        self.checkpoint.hide()
        self.train.visible = False

    # What is shown

    def _show_found(self, answer: dict[str, Any]) -> None:
        self.found = answer
        self.kept.forget()
        self.links.object = Markup()
        if answer["kind"] == "checkpoint":
            self.checkpoint.offer(bring.tasks_for(answer, bring.mine(self.secret(), self.anybody)))
            self.card.checkpoint(self.file, answer)
        else:
            self.columns.offer(answer["choices"])
            self.train.visible = self.card.dataset(self.file, answer)
        self.changed()

    def _show_refused(self, error: UserError) -> None:
        """What was wrong with it; the files are let go, unless another way of reading them may do."""
        self.card.refusal(self.file, str(error))
        if self.found.get("kind") != "checkpoint":
            self._drop_files()

    def _show_own(self, dataset: str = "", run: ImportedRun | None = None) -> None:
        """What one has kept: a dataset, or an imported run with where it can be looked at; nothing without either."""
        self._drop_files()
        if dataset:
            self.card.kept(dataset)
        else:
            self.kept.forget()
            self.card.nothing()
        if run is not None:
            rule = "qgf" if run.critic else "bc"
            self.links.object = opened_run(RUN + run.name, run.task, run.action_dim, rule)
        self.changed()
