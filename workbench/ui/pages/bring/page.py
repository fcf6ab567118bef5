"""The page "Bring your own": drop a dataset or a checkpoint, see what was recognised, and start."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import panel as pn

from workbench.engine.words import UserError
from workbench.plots.markup import Markup
from workbench.runs.bring import Errand, Upload
from workbench.runs.owner import digest
from workbench.ui.canvas.bokeh_figures import follow_theme, pane
from workbench.ui.controls.drop import SHELF, Drop
from workbench.ui.controls.rule import STYLE as CONTROLS
from workbench.ui.pages.bring.draw import action_figure, length_figure, show_actions, show_lengths
from workbench.ui.pages.bring.form import CheckpointForm, ColumnForm
from workbench.ui.pages.bring.kept import Kept
from workbench.ui.pages.bring.words import STYLE, nothing_yet, opened_run, recognised, refused
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.lab import one_user, served_data
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Stop
from workbench.views import bring

EXAMPLE = "three_exits.npz"
NOTHING: dict[str, list[Any]] = {"edges": [], "counts": []}
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
        Stop(
            ".wb-main",
            "See what it is",
            "What was recognised, what would be left out, and why, before anything is kept.",
        ),
        Stop(".wb-kept", "What you keep", "Your datasets: train on them, or remove them."),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.anybody = one_user()
        self.upload: Upload | None = None
        self.path: Path | None = None  # what is looked at: of the upload, or of the folder that the server opens
        self.file = ""  # what people call it
        self.found: dict[str, Any] = {}  # what an errand said of it
        self._errand: Errand | None = None
        self._then: Callable[[dict[str, Any]], None] = lambda answer: None
        self._else: Callable[[UserError], None] = lambda error: None
        self._doing = ""
        self._scratch: Path | None = None
        self._imports: Latest[tuple[Path, str], str] = Latest(
            lambda asked: bring.into_store(*asked), self.later(self._imported)
        )
        self._make_controls()
        self._actions, self._lengths = action_figure(), length_figure()
        follow_theme([self._actions.figure, self._lengths.figure], self.document)
        self.kept.wanted = arguments.get("dataset", "")
        self._show_nothing()
        self.owner.param.watch(lambda _: self._told_who(), "secret")
        self.keep_looking()

    # What the shell asks

    def panels(self) -> Mapping[str, Any]:
        """Files on the left; what was recognised; two histograms."""
        return {
            "controls": pn.Column(
                self.owner,
                self.drop,
                self.where,
                self.example,
                self.columns,
                self.train,
                self.checkpoint,
                self.kept,
                sizing_mode="stretch_width",
                margin=0,
            ),
            "main": pn.Column(
                self.notice,
                self.card,
                self.links,
                sizing_mode="stretch_width",
                margin=0,
                styles={"position": "relative"},
            ),
            "actions": pane(self._actions.figure, min_height=190),
            "lengths": pane(self._lengths.figure, min_height=190),
        }

    def state(self) -> dict[str, Any]:
        """The dataset that is shown, where it is kept: files that were only dropped are nobody else's."""
        return {"dataset": self.kept.shown} if self.kept.shown and not self.file else {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Show the dataset that the link names."""
        self._drop_files()
        self.kept.wanted = arguments.get("dataset", "")
        self._told_who()

    def code(self) -> str:
        """The same in a notebook, and on the command line."""
        if self.found.get("kind") == "checkpoint":
            reading, rule = self.checkpoint.reading(), bring.rule_for(self.found)
            return bring.checkpoint_code(self.file, self._task_or_nothing(), reading, rule)
        if self.file:
            return bring.dataset_code(self.file, self.columns.columns())
        if self.kept.shown:
            return bring.kept_code(self.kept.shown)
        raise UserError("Bring a file first, or try the example; then this gives the code that reads it.")

    def sheet(self) -> Sheet:
        """The two histograms."""
        if self.found.get("kind") != "dataset" or "about" not in self.found:
            raise UserError(NO_PICTURE)
        return Sheet([[self._actions.figure, self._lengths.figure]], str(self.card.object))

    def close(self) -> None:
        """The visitor left: nothing that was not kept stays."""
        self._imports.drop()
        self.drop.drop()
        self._drop_files()

    # Controls

    def _make_controls(self) -> None:
        options: dict[str, Any] = {"stylesheets": [CONTROLS], "margin": (8, 0, 0, 0), "sizing_mode": "stretch_width"}
        self.drop = Drop(
            self._received,
            self._cancel,
            margin=0,
            sizing_mode="stretch_width",
            css_classes=["wb-place"],
            label="Drop a dataset or a checkpoint here",
        )
        self.where = pn.widgets.TextInput(
            label="Or a path in the server’s data folder",
            placeholder="demos/low_dim.hdf5",
            css_classes=["wb-where"],
            description=None,
            visible=served_data() is not None,
            **options,
        )
        self.binding.bind(lambda event: self.do(lambda: self._opened(event.new)), self.where)
        self.example = pn.widgets.Button(label="Try with an example", css_classes=["wb-example"], **options)
        self.example.on_click(lambda _: self.do(self._example))
        self.columns = ColumnForm(lambda: self.do(self._look_at))
        self.train = pn.widgets.Button(
            label="Keep it, and train on it",
            color="primary",
            css_classes=["wb-train"],
            visible=False,
            **(options | {"stylesheets": []}),
        )
        self.train.on_click(lambda _: self.do(self._keep))
        self.checkpoint = CheckpointForm(lambda: self.do(self._look_at), lambda: self.do(self._import))
        self.kept = Kept(self, self.drop.go, self._show_kept)
        self.card = HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", css_classes=["wb-found"])
        self.links = HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", css_classes=["wb-links"])

    def _told_who(self) -> None:
        """The browser has said who it is: its datasets are listed, and the one that the link names is shown."""
        if self.owner.secret:
            with self.held():
                self.kept.list(self.secret(), self.anybody)
                if not self.file and not self.kept.shown:
                    self._show_nothing()

    # Files

    def _received(self, upload: Upload) -> None:
        self.do(lambda: self._take(upload))

    def _take(self, upload: Upload) -> None:
        self._drop_files()
        self.upload = upload
        self.path = upload.path()
        self.file = self.path.name if self.path != upload.folder else "these files"
        self._look_at()

    def _opened(self, text: str) -> None:
        """A path in the folder that the server's owner permits."""
        if not text.strip():
            return
        path = bring.served_path(text.strip(), served_data())
        self._drop_files()
        self.path, self.file = path, text.strip()
        self._look_at()

    def _example(self) -> None:
        self._drop_files()
        upload = self.upload = SHELF.open()

        def made(_: dict[str, Any]) -> None:
            upload.wrote(EXAMPLE)
            self.path, self.file = upload.path(), EXAMPLE
            self._look_at()

        self._order({"do": "example", "path": str(upload.folder / EXAMPLE)}, "Making a small dataset", made)

    def _look_at(self) -> None:
        """Say what the file is."""
        reading = self.checkpoint.reading() if self.found.get("kind") == "checkpoint" else {}
        order = {"do": "look", "path": str(self.path), "columns": self.columns.columns(), "reading": reading}
        self._order(order, f"Reading {self.file}", self._show_found, self._show_refused)

    def _keep(self) -> None:
        """Convert the data, and go on to Training with them."""
        self._check_free()
        bring.check_room(self.secret())
        name, draft = bring.name_for(self.file), bring.draft_folder()
        self._scratch = draft

        def done(_: dict[str, Any]) -> None:
            bring.adopt(draft, name)
            self.drop.go(f"./training?dataset={quote(name)}")

        order = {
            "do": "keep",
            "path": str(self.path),
            "columns": self.columns.columns(),
            "name": name,
            "out": str(draft),
        }
        order |= {"source": self.file, "owner": digest(self.secret())}
        self._order(order, f"Keeping {self.file}", done)

    def _import(self) -> None:
        """Make a run of the checkpoint."""
        self._check_free()
        task = self.checkpoint.chosen()
        if task.startswith(bring.OWN):
            bring.check_mine(task.removeprefix(bring.OWN), self.secret(), self.anybody)
        self._scratch = Path(tempfile.mkdtemp(prefix="workbench-import-"))
        run = self._scratch / "run"

        def done(answer: dict[str, Any]) -> None:
            self._scratch = None  # the worker's from here on
            self.found["imported"] = answer
            self.drop.say("Writing the run…", busy=True)
            self._imports.ask((run, answer["task"]))

        order = {"do": "import", "path": str(self.path), "task": task, "out": str(run)}
        self._order(order | {"reading": self.checkpoint.reading()}, f"Importing {self.file}", done)

    def _imported(self, asked: tuple[Path, str], name: str | None, error: Exception | None) -> None:
        self.drop.say("")
        if name is None:
            self.notice.say("error", f"The run could not be written. {told(error)}")
            return
        answer = self.found.get("imported", {})
        self.links.object = opened_run(name, asked[1], int(self.found["action_dim"]), bring.rule_for(self.found))
        self._show_checkpoint(list(answer.get("notes", [])))

    # Errands

    def _order(
        self,
        order: dict[str, Any],
        doing: str,
        then: Callable[[dict[str, Any]], None],
        otherwise: Callable[[UserError], None] | None = None,
    ) -> None:
        """Have something done in a process of its own; one thing at a time."""
        self._check_free()
        places = {} if self.upload is None else {self.upload.folder: ""}
        permitted = served_data()
        places |= {} if permitted is None else {permitted: ""}
        places |= {} if self._scratch is None else {self._scratch: ""}
        self._errand = Errand(order, places)
        self._then, self._doing = then, doing
        self._else = otherwise or (lambda error: self.notice.say("error", str(error)))
        self.follow()

    def _check_free(self) -> None:
        if self._errand is not None:
            raise UserError("something is being read already; wait for it, or press Cancel")

    def look(self) -> None:
        """Ask how far the errand is."""
        errand = self._errand
        if errand is None:
            return
        if errand.look() != "done":
            self.follow()
            return
        self._errand = None
        self.drop.say("")
        self.drop.holds = self.upload is not None
        try:
            answer = errand.answer()
        except UserError as error:
            self._clean()
            self._else(error)
        else:
            self.do(lambda: self._then(answer))
            if self._errand is None:
                self._clean()
        self.follow()

    def follow(self) -> None:
        """Say how far it is, and offer what can be done."""
        errand = self._errand
        busy = errand is not None
        for button in (self.train, self.example, self.columns.button, self.checkpoint.start, self.checkpoint.again):
            button.disabled = busy
        if errand is None:
            return
        state, seconds = errand.look(), int(errand.seconds)
        if state == "waiting":
            words = f"Other files are being read on this server; yours is next ({seconds} s)"
        else:
            words = f"{self._doing}: {errand.words() or 'checked before anything is kept'} ({seconds} s)"
        if self.drop.words != words or not self.drop.busy:
            self.drop.say(words, busy=True)

    def _cancel(self) -> None:
        """Stop what is being read; what was dropped is forgotten."""
        self._drop_files()
        self._show_nothing()
        self.follow()
        self.changed()

    def _clean(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _drop_files(self) -> None:
        """Forget the files that were brought, and what was said of them."""
        if self._errand is not None:
            self._errand.cancel()
            self._errand = None
        self._clean()
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
        if answer["kind"] == "checkpoint":
            self.checkpoint.offer(bring.tasks_for(answer, bring.mine(self.secret(), self.anybody)))
            self._show_checkpoint([])
            self._pictures(NOTHING, NOTHING, ())
        else:
            self._show_dataset()
        self.changed()

    def _show_dataset(self) -> None:
        answer = self.found
        self.columns.offer(answer["choices"])
        if "about" not in answer:
            self.card.object = refused(
                self.file, answer["refused"], "Choose which column is what on the left, and look again.", ()
            )
            self._pictures(NOTHING, NOTHING, ())
            self.train.visible = False
            return
        about = answer["about"]
        obstacle = bring.obstacles(about)
        notes = [*([obstacle] if obstacle else []), *bring.cautions(about), *about["notes"]]
        title = f"{self.file}: a dataset, {about['format']}"
        says = "Nothing is kept yet. This is what a training would see."
        self.card.object = recognised(title, says, bring.dataset_rows(about), notes)
        self.train.visible = not obstacle
        self._pictures(answer["actions"], answer["lengths"], about["action_names"])

    def _show_checkpoint(self, notes: list[str]) -> None:
        found = self.found
        title = f"{self.file}: a checkpoint, family {found['family']}"
        says = "Say for which task it was trained, and import it: it becomes a run that can be steered and measured."
        self.card.object = recognised(title, says, bring.checkpoint_rows(found), [*found["notes"], *notes])

    def _show_refused(self, error: UserError) -> None:
        """What was wrong with it; the files themselves are let go."""
        file = self.file
        self.card.object = refused(file, str(error), *bring.way_on(file))
        self._pictures(NOTHING, NOTHING, ())
        if self.found.get("kind") != "checkpoint":  # it was read before: another way of reading it may do
            self._drop_files()
        self.follow()

    def _show_kept(self, name: str) -> None:
        """A dataset that was kept before."""
        self._drop_files()
        if not name:
            self._show_nothing()
            return
        says = "It is yours: train on it, or remove it."
        self.card.object = recognised(f"Your dataset {name}", says, bring.kept_rows(name), bring.kept_notes(name))
        self._pictures(NOTHING, NOTHING, ())
        self.changed()

    def _show_nothing(self) -> None:
        self.card.object = nothing_yet()
        self._pictures(NOTHING, NOTHING, ())

    def _pictures(self, actions: Mapping[str, Any], lengths: Mapping[str, Any], names: Any) -> None:
        show_actions(self._actions, actions, names)
        show_lengths(self._lengths, lengths)

    def _task_or_nothing(self) -> str:
        try:
            return self.checkpoint.chosen()
        except UserError:
            return ""
