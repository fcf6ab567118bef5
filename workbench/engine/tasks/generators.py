"""Which of OGBench's datasets are made here: those whose collectors come with the package."""

from __future__ import annotations

from workbench.engine.tasks import manipulation, pointmaze
from workbench.engine.tasks.collect import Generator
from workbench.engine.words import UserError

GENERATORS: dict[tuple[str, str], Generator] = {  # by family of environments, and kind of data
    ("pointmaze", "navigate"): pointmaze.NAVIGATE,
    ("pointmaze", "stitch"): pointmaze.STITCH,
    **{(family, kind): made for family in ("cube", "scene", "puzzle") for kind, made in manipulation.MADE.items()},
}
WALKED = ("antmaze", "humanoidmaze", "antsoccer")


def generator_of(family: str, kind: str, task: str) -> Generator:
    """How data of this kind are made; UserError, about ``task``, where they are not made here."""
    generator = GENERATORS.get((family, kind))
    if generator is None:
        made = ", ".join(f"{family}-*-{kind}" for family, kind in GENERATORS)
        why = " its collectors walk with policies that OGBench trained, which do not come with the package;"
        raise UserError(
            f"{task}:{why if family in WALKED else ''} only {made} data are generated here; download OGBench's own: "
            f"OGBenchTask({task!r}).download(FOLDER)"
        )
    return generator
