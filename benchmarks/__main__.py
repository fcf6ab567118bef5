"""``python -m benchmarks [NAME ...]``: measure, print tables, compare with a peer or a bound in the same run.

Names: updates, actions, guard, three_exits, three_exits_vgf, few_steps, late, gaussian, online, together, central_picture,
estimator, pointmaze, estimator_pointmaze, goals, cube, cube_chunks (pointmaze and cube need the ogbench extra and some
minutes), notebook, lessons, sweep, store, shards, shipped_store (which makes what the package ships), suite_times (--protocol
NAME --tasks LABEL …), figures (figures NAME …: the papers' figures on small tasks), ui, soak, gpu and language_models (on a
machine with one), peers (against the authors' own code, which you have), growth, latency, claims (does what the pages call
faster hold here?), update_parts. Without names: updates, actions, guard and three_exits. Medians over repeats; but for
claims, update_parts and growth these are wall times, so run on an idle machine.
"""

from __future__ import annotations

import argparse
import importlib

NAMES = (
    "updates",
    "actions",
    "guard",
    "three_exits",
    "ui",
    "soak",
    "three_exits_vgf",
    "together",
    "few_steps",
    "late",
    "gaussian",
    "central_picture",
    "estimator",
    "pointmaze",
    "estimator_pointmaze",
    "goals",
    "cube",
    "cube_chunks",
    "online",
    "notebook",
    "lessons",
    "sweep",
    "store",
    "shards",
    "shipped_store",
    "suite_times",
    "figures",
    "peers",
    "growth",
    "latency",
    "claims",
    "update_parts",
    "gpu",
    "language_models",
)
QUICK = NAMES[:4]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--full", action="store_true", help="ui: thirty people for five minutes, not thirty seconds")
    parser.add_argument("--against", metavar="PATH", help="ui: another checkout, measured in the same sitting")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="gpu, language_models: where to run it; the GPU without it"
    )
    parser.add_argument("--quick", action="store_true", help="gpu, language_models: at tiny sizes, to try the script")
    names = parser.parse_known_args()[0].names or QUICK  # a benchmark reads its own options
    if names[0] == "figures":
        from benchmarks.figures import run

        run(names[1:])
        return
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").run()


if __name__ == "__main__":
    main()
