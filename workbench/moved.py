"""Modules of version 0.1 under the names that they had then: importing one still works, and says where it is now.

The names go with version 0.3. Names of `workbench` itself (``wb.steer`` …) never moved.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "engine.training.adam": "engine.training.fast.adam",
    "engine.training.adjoint_flow": "engine.training.losses.adjoint_flow",
    "engine.training.arrays_file": "engine.data.arrays_file",
    "engine.training.awr_actor": "engine.training.losses.awr_actor",
    "engine.training.checkpoint": "engine.training.loop.checkpoint",
    "engine.training.compiled": "engine.training.fast.compiled",
    "engine.training.conditioned_flow": "engine.training.losses.conditioned_flow",
    "engine.training.edp_flow": "engine.training.losses.edp_flow",
    "engine.training.fit": "engine.training.loop.fit",
    "engine.training.flow_matching": "engine.training.losses.flow_matching",
    "engine.training.fqe": "engine.training.loop.fqe",
    "engine.training.iql": "engine.training.losses.iql",
    "engine.training.learned_part": "engine.training.loop.learned_part",
    "engine.training.loss": "engine.training.losses.loss",
    "engine.training.one_step": "engine.training.losses.one_step",
    "engine.training.quick": "engine.training.loop.quick",
    "engine.training.rebrac_actor": "engine.training.losses.rebrac_actor",
    "engine.training.recording": "engine.training.fast.recording",
    "engine.training.residual": "engine.training.losses.residual",
    "engine.training.robust_critic": "engine.training.losses.robust_critic",
    "engine.training.run_record": "engine.training.loop.run_record",
    "engine.training.snapshots": "engine.training.loop.snapshots",
    "engine.training.stacked": "engine.training.fast.stacked",
    "engine.training.state_value": "engine.training.losses.state_value",
    "engine.training.td_actor": "engine.training.losses.td_actor",
    "engine.training.td_vgf": "engine.training.losses.td_vgf",
    "engine.training.together": "engine.training.loop.together",
    "engine.training.trainer": "engine.training.loop.trainer",
    "engine.training.value_climb": "engine.training.losses.value_climb",
    "engine.training.value_gradient": "engine.training.losses.value_gradient",
    "experiments.trained": "experiments.trained_parts",
    "experiments.training_notes": "runs.notes",
    "experiments.trainings": "runs.launched",
    "online_run": "runs.online",
    "training_run": "runs.training",
    "ui.awaited": "ui.controls.awaited",
    "ui.bench": "ui.notebook.widgets",
    "ui.budget": "ui.pages.budget",
    "ui.budget.code": "views.snippets",
    "ui.budget.scene": "views.budget",
    "ui.contained": "views.contained",
    "ui.costs": "ui.server.costs",
    "ui.crew": "ui.server.crew",
    "ui.deadly": "ui.server.deadly",
    "ui.equations": "ui.controls.equations",
    "ui.fields": "views.fields",
    "ui.figures": "ui.canvas.bokeh_figures",
    "ui.frames": "ui.canvas.frames",
    "ui.garbage": "ui.server.garbage",
    "ui.gate": "ui.server.gate",
    "ui.index": "ui.pages.index",
    "ui.inside": "ui.notebook.dashboard",
    "ui.lab": "ui.server.lab",
    "ui.landscape": "ui.pages.landscape",
    "ui.landscape.draw": "ui.canvas.landscape_figures",
    "ui.landscape.numbers": "views.rows",
    "ui.landscape.scene": "views.terrain",
    "ui.landscape.surface": "ui.canvas.surface",
    "ui.links": "views.links",
    "ui.measured": "views.numbers",
    "ui.names": "ui.server.names",
    "ui.notice": "ui.controls.notice",
    "ui.offline": "ui.canvas.offline",
    "ui.once_opened": "ui.shell.once_opened",
    "ui.particles": "ui.pages.particles",
    "ui.particles.code": "views.snippets",
    "ui.particles.picture": "views.particles",
    "ui.particles.presets": "views.presets",
    "ui.policy_choice": "ui.controls.policy_choice",
    "ui.prediction": "ui.notebook.prediction",
    "ui.rollouts": "ui.pages.rollouts",
    "ui.rollouts.link": "views.rollout_links",
    "ui.rollouts.scene": "views.rollouts",
    "ui.rollouts.story": "views.rollout_presets",
    "ui.room": "views.episodes",
    "ui.runs": "ui.pages.runs",
    "ui.runs.code": "views.snippets",
    "ui.runs.rows": "views.runs",
    "ui.saved_figures": "ui.notebook.saved_figures",
    "ui.scene": "views.question",
    "ui.session": "ui.server.parts_cache",
    "ui.sources": "views.policies",
    "ui.stage": "ui.canvas.stage",
    "ui.stories": "ui.controls.stories",
    "ui.studio": "ui.server.draw_processes",
    "ui.training": "ui.pages.training",
    "ui.training.scene": "views.training",
    "ui.training.shared": "ui.server.owner",
    "ui.turns": "ui.server.turns",
    "ui.waiting": "ui.controls.waiting",
    "ui.words": "ui.shell.html_pane",
}


def today(name: str) -> str:
    """The module that was called ``name``, as it is called now; "" for one that did not move."""
    inside = name.removeprefix("workbench.")
    if inside == name:
        return ""
    parts = inside.split(".")
    for cut in range(len(parts), 0, -1):
        if moved := MOVED.get(".".join(parts[:cut])):
            return ".".join(("workbench", moved, *parts[cut:]))
    return ""


class Forwarding(MetaPathFinder, Loader):
    """Finds a module by the name that it had."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec whose module is the moved one."""
        return ModuleSpec(fullname, self) if today(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The moved module itself, so that there is one of it."""
        now = today(spec.name)
        warnings.warn(f"{spec.name} is {now} now; the old name goes with version 0.3", DeprecationWarning, stacklevel=2)
        module = importlib.import_module(now)
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It ran already; what Python has just written into it is put back."""
        module.__spec__ = self._own


def forward_old_names() -> None:
    """Let old names be imported, once for each process."""
    if not any(isinstance(finder, Forwarding) for finder in sys.meta_path):
        sys.meta_path.insert(0, Forwarding())
