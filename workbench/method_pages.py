"""A page per steering rule in docs/methods: the facts from the registry, a picture drawn here, the prose written by hand.

``python -m workbench.method_pages docs/methods`` refreshes the facts between the two marks of every page, the index, and
with ``--pictures`` the pictures.
"""

from __future__ import annotations

import inspect
import io
import re
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from workbench.engine.data.atomic import write_atomic
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.plan import extra_parts

TASK = "bandit2d"
SHOWN = 160
GRID = 96
EXTENT = 1.3
BEGIN = "<!-- facts: written by make method-pages -->"
END = "<!-- end of the facts -->"
SECTIONS = ("When to use it", "How it fails")


def doc_of(rule: type[Rule]) -> str:
    """The rule's docstring, its paragraphs on one line each."""
    return re.sub(r"(?<!\n)\n(?!\n)\s*", " ", inspect.getdoc(rule) or "")


def said(rule: type[Rule], word: str) -> str:
    """The sentence after ``word:`` in the docstring."""
    match = re.search(rf"{word}: (.*?)(?:\n|$)", doc_of(rule))
    return match.group(1).strip() if match else ""


def strengths(rule: type[Rule]) -> list[dict[str, Any]]:
    """The settings of the pictures: the default, and ten times the default strength where it can be chosen at test time."""
    if rule.bc_at is None or rule.name == "bc":
        return [{}]
    return [{}, {rule.strength: min(10 * rule.model_fields[rule.strength].default, 320)}]


def facts(rule: type[Rule]) -> str:
    """The part of a page that the registry knows."""
    needs = ", ".join(f"`{name}`" for name in rule.needs)
    panels = ["the behaviour flow", f"the default, `{rule.strength}` = {rule.model_fields[rule.strength].default}"]
    if len(strengths(rule)) > 1:
        panels.append(f"`{rule.strength}` = {strengths(rule)[1][rule.strength]}")
    if rule.bc_at is None:
        zero = f"none at test time; it was steered in training by `{rule.trained_strength}`"
    else:
        zero = ", ".join(f"`{key}` = {value}" for key, value in rule.bc_at.items()) or "always"
    critic = "the task's own flow and critic" if not extra_parts(rule.needs) else "a small policy trained on its data"
    lines = [
        BEGIN,
        f"```math\n{rule.equation}\n```",
        f"![{', '.join(panels)}]({rule.name}.png)",
        f"*{TASK}, {critic}; dark is high Q. From the left: {'; '.join(panels)}.*",
        "| | |\n|---|---|\n"
        f"| name | `{rule.name}` |\n| source | {rule.paper} |\n| needs | {needs} |\n"
        f"| cost per particle and decision | {said(rule, 'Cost')} |\n"
        f"| strength | `{rule.strength}` |\n| the behaviour policy at | {zero} |",
        "T flow steps, L transport steps, N particles, M samples. The pick by value asks the critic once more for each of "
        f"several particles. Settings: `workbench rules --json`; derivation and departures from the published code: "
        f"`RULES['{rule.name}'].__doc__`.",
        END,
    ]
    return "\n\n".join(lines)


def with_facts(text: str, rule: type[Rule]) -> str:
    """A page's text with its facts as they are today; a new page gets its headings."""
    if BEGIN in text:
        return re.sub(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: facts(rule), text, flags=re.S)
    headings = "\n\n".join(f"## {section}\n" for section in SECTIONS)
    return f"# {rule.title}\n\n{facts(rule)}\n\n{headings}"


def index() -> str:
    """The table of all rules."""
    rows = [
        f"| [{rule.title}]({name}.md) | `{name}` | {', '.join(rule.needs)} | {said(rule, 'Cost')} |"
        for name, rule in RULES.items()
    ]
    head = (
        "# The methods\n\nEvery steering rule of the registry, a page each: equation, picture, when to use it, how it fails, "
        "what it costs. `make method-pages` refreshes facts and pictures.\n\n"
        "What they steer and steer by: [behaviour flows and critics](../flows_and_critics.md).\n\n"
        "| rule | name | needs | cost per particle |\n|---|---|---|---|"
    )
    return "\n".join([head, *rows, ""])


# --- pictures ---------------------------------------------------------------------------------------------------


def trained_parts(wanted: tuple[str, ...], steps: int = 1000) -> Parts:
    """A small policy on the task's data with the extra parts ``wanted``; its flow and critic are the same for all of them."""
    task = make_task(TASK)
    settings = task.training_defaults() | {"hidden": (64, 64), "steps": steps, "parts": wanted, "seed": 0}
    trainer = Trainer(task.generate(None, 0), make_config(**settings))
    for _ in fit(trainer, report_every=steps):
        pass
    return trainer.parts()


def draw(rule: type[Rule], parts: Parts) -> bytes:
    """The page's picture as a PNG of few colours."""
    from workbench.plots import still

    place = torch.zeros(1, parts.observation_dim)
    traces: list[Trace] = []
    for built in (RULES["bc"](), *(rule(**settings) for settings in strengths(rule))):
        groups = max(1, SHOWN // built.particles)
        generator = torch.Generator().manual_seed(0)
        noise = draw_noise(groups, built.particles, parts.action_dim, generator, built.extra_draws())
        traces.append(steer(built, parts, place.expand(groups, -1), noise))
    line = torch.linspace(-EXTENT, EXTENT, GRID)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    rows = parts.normalize(place).expand(len(grid), -1)
    with torch.no_grad():
        values = q_values(parts.pick_critic("online"), rows, grid, "mean").view(GRID, GRID).numpy()
    figure = still.stages(traces, values, (-EXTENT, -EXTENT, EXTENT, EXTENT))
    figure.set_figheight(3.7)  # room for the titles
    chosen = [{}, *strengths(rule)]
    for axes, trace, settings in zip(figure.axes, traces, chosen, strict=True):
        axes.set_title(", ".join([RULES[trace.rule].title, *(f"{k} = {v}" for k, v in settings.items())]), fontsize=10)
    image = Image.open(io.BytesIO(still.png(figure, dpi=72))).convert("RGB").quantize(64)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_pages(folder: Path, pictures: bool) -> None:
    """Refresh every page in ``folder``."""
    own = Bandit2D().parts() if pictures else None
    for name, rule in RULES.items():
        page = folder / f"{name}.md"
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        write_atomic(page, with_facts(before, rule).encode())
        if own is not None:
            extra = extra_parts(rule.needs)
            write_atomic(folder / f"{name}.png", draw(rule, trained_parts(extra) if extra else own))
    write_atomic(folder / "README.md", index().encode())


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]), pictures="--pictures" in sys.argv[2:])
