"""The registry of pages: one line each. A page's module is imported when the page is first opened."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A page in the navigation.

    Attributes
    ----------
    title : str
    summary : str
        One sentence for the index page.
    module, cls : str
        Where its `Page` is.
    """

    title: str
    summary: str
    module: str
    cls: str


PAGES: dict[str, Entry] = {
    "particles": Entry(
        "Particles",
        "Behaviour flow and steering rules side by side on the same noise: every particle, every push.",
        "workbench.ui.pages.particles.page",
        "ParticlesPage",
    ),
    "landscape": Entry(
        "Landscape",
        "What the critic says around the actions, where a rule asks it, and whether it can be trusted there.",
        "workbench.ui.pages.landscape.page",
        "LandscapePage",
    ),
    "budget": Entry(
        "Budget",
        "Return against distribution shift for every rule that was measured, and what the critic promises.",
        "workbench.ui.pages.budget.page",
        "BudgetPage",
    ),
    "compare": Entry(
        "Compare",
        "Methods over tasks: the table with intervals, performance profiles, and return against what a decision costs.",
        "workbench.ui.pages.compare.page",
        "ComparePage",
    ),
    "rollouts": Entry(
        "Rollouts",
        "Whole episodes at two strengths, drawn over each other: where they end, and from which starts.",
        "workbench.ui.pages.rollouts.page",
        "RolloutsPage",
    ),
    "training": Entry(
        "Training",
        "Start a run, watch it, pause it, and look back at any of its moments.",
        "workbench.ui.pages.training.page",
        "TrainingPage",
    ),
    "runs": Entry(
        "Runs",
        "Every run of the store: filter, sort, compare, delete with undo; start a sweep, take the report.",
        "workbench.ui.pages.runs.page",
        "RunsPage",
    ),
    "language": Entry(
        "Language",
        "Sentences at three strengths side by side: a judge reads what a proxy was promised.",
        "workbench.ui.pages.language.page",
        "LanguagePage",
    ),
    "bring": Entry(
        "Bring your own",
        "Drop a dataset or a checkpoint: see what it is, train on it, or steer it.",
        "workbench.ui.pages.bring.page",
        "BringPage",
    ),
}
INDEX = Entry("All pages", "What there is.", "workbench.ui.pages.index.page", "IndexPage")


def page_class(name: str) -> Any:
    """The `Page` subclass of a registered page, or of the index."""
    entry = INDEX if name == "index" else PAGES[name]
    return getattr(importlib.import_module(entry.module), entry.cls)
