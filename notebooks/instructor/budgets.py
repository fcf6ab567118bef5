"""Make the measured table of lesson 5 anew: ``python notebooks/instructor/budgets.py [L_train ...]``.

On three_exits, VGF's own critic is trained with several L_train and three seeds each, and every one of them is played with
several L_test. Nothing is chosen here: all of it goes into ``notebooks/data/budgets.json``, where the rows of another L_train
stay. It takes some ten minutes on one core, and much longer for a large L_train.
"""

import json
import math
import sys
from pathlib import Path

from workbench.engine.data.atomic import write_atomic
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer

TARGET = Path(__file__).resolve().parents[1] / "data" / "budgets.json"
TRAIN, TEST, SEEDS, EPISODES = (0, 1, 3), (0, 1, 3, 10, 30), (0, 1, 2), 300
STEPS = {"ascent": "plain", "step_size": 0.002, "alpha": 0.02, "pick": "uniform"}


def measured(l_train: int) -> list[dict[str, float]]:
    task, rows = ThreeExits(), []
    settings = task.training_defaults("td_vgf") | {"transport_steps": l_train}
    trainers = [Trainer(task.generate(None, seed), make_config(**settings, seed=seed)) for seed in SEEDS]
    for _ in fit_together(trainers):
        pass
    for seed, trainer in zip(SEEDS, trainers, strict=True):
        for l_test in TEST:
            found = evaluate(make_rule("vgf", steps=l_test, **STEPS), trainer.parts(), task, EPISODES, 100 + seed)
            row = {"seed": seed, "l_train": l_train, "l_test": l_test, "return": found.returns.mean}
            row |= {"gap": found.gap.mean, "shift": found.shift.w2}
            rows.append({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
            print(rows[-1], flush=True)
    return rows


def keep(new: list[dict[str, float]]) -> None:
    assert all(math.isfinite(value) for row in new for value in row.values())
    old = json.loads(TARGET.read_text())["rows"] if TARGET.exists() else []
    rows = new + [row for row in old if row["l_train"] not in {fresh["l_train"] for fresh in new}]
    rows.sort(key=lambda row: (row["l_train"], row["seed"], row["l_test"]))
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    head = json.dumps({"task": "three_exits", "episodes": EPISODES, "settings": STEPS})[:-1]
    write_atomic(TARGET, f'{head}, "rows": [\n{lines}\n]}}\n'.encode())


if __name__ == "__main__":
    for number in [int(word) for word in sys.argv[1:]] or TRAIN:
        keep(measured(number))
