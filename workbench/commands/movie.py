"""``workbench movie``: a rule's strength swept from nothing to too far, as a film."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from workbench.commands.flags import SEEDS, Json, Settings, check_range, parse_settings
from workbench.console import Bar, print_json
from workbench.engine.words import UserError

SUFFIXES = (".gif", ".mp4", ".json")


def movie(
    out: Path,
    task: str = "bandit2d",
    rule: str = "qgf",
    settings: Settings = (),
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Write a ten-second film: a strength rises, particles move, and what is promised parts from what is earned.

    Args:
        out: File to write: .gif, .mp4 (extra film) or .json, the numbers behind it; it must not exist.
        task: A built-in task with two action dimensions, or run:NAME for a run of the store.
        rule: Name of the rule (workbench rules).
        seed: Fixes the noise.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f"--out must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {out.name}")
    if out.exists():
        raise UserError(f"{out} exists; choose another name")
    if not out.parent.is_dir():
        raise UserError(f"the folder {out.parent} does not exist; make it first, or choose another --out")
    check_range("--seed", seed, 0, SEEDS - 1)
    from workbench.engine.data.atomic import write_atomic
    from workbench.engine.steering.rules import find_rule
    from workbench.views.opening.film import check_writer, film, pictures
    from workbench.views.opening.measured import Sweeper, opening_of
    from workbench.views.parts import parts_for
    from workbench.views.policies import find
    from workbench.views.question import Policy

    suffix = out.suffix.lower()
    check_writer(suffix)
    find_rule(rule)
    source, policy = find(task), Policy(rule, parse_settings(settings))
    sweeper = Sweeper(task, source.task, parts_for(task, rule), source.start, policy, seed)
    done = 0
    with closing(Bar(sweeper.most, "measure", "strengths")) as bar:

        def measured(strength: float) -> None:
            nonlocal done
            done += 1
            bar.at(done, f"strength {strength:g}")

        opening = opening_of(sweeper, measured)
    if suffix == ".json":
        content = f"{opening.as_json()}\n".encode()
    else:
        with closing(Bar(pictures(suffix), "draw", "pictures")) as bar:
            content = film(opening, suffix, bar.tick())
    write_atomic(out, content)
    said = {one.name: one.text for one in opening.captions}
    if as_json:
        print_json({"out": str(out), "bytes": len(content), "task": task, "rule": rule, "captions": said})
        return
    print(f"{out}: {len(content) / 2**20:.1f} MiB")
    for text in said.values():
        print(f"  {text}")
