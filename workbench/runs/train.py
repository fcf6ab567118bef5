"""Training in one call: what ``wb.train`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import Progress, fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import UserError
from workbench.runs.devices import choose_device, training_work
from workbench.runs.training import Source, TrainingRun, settings_for


def train(
    task: str | Task,
    *,
    rules: str | Rule | type[Rule] | Sequence[str | Rule | type[Rule]] = (),
    data: Transitions | str | Path | None = None,
    out: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[Progress], None] | None = None,
    **settings: object,
) -> Parts:
    """Train a behaviour flow and a critic for a task, and return them ready to steer.

    Parameters
    ----------
    task : str or Task
        Its own settings of training are used where ``settings`` do not say otherwise.
    rules : rule, or sequence of rules, optional
        Train also the learned parts that these steering rules need. With ``critic="td_actor"`` a single rule is the actor
        too.
    data : Transitions or path, optional
        What to learn from; built-in tasks make their own.
    out : path, optional
        Keep the run in this new folder, with checkpoints on the way: `load_run` reads it, ``workbench fit --resume`` goes
        on with it. Without it nothing is written.
    device : str
        "cpu", "cuda", or "auto" for CUDA where there is one and the training is large enough to gain by it.
    progress : callable, optional
        Called with a `Progress` about every 100 updates; ``progress=print`` will do.
    **settings
        ``steps``, ``seed``, ``critic``, ``learning_rate`` and all others that ``workbench losses`` lists.

    Returns
    -------
    Parts
        For `steer`, `act` and `evaluate`.

    Raises
    ------
    UserError
        Unknown task, rule or setting, a value out of bounds, data that do not fit, or a folder that is there.
    DivergedError
        A loss or a weight is no longer finite.

    Examples
    --------
    >>> import workbench as wb
    >>> parts = wb.train("bandit2d", steps=200, hidden=(32, 32))
    >>> wb.evaluate(wb.make_rule("qgf"), parts, wb.make_task("bandit2d"), episodes=100, seed=1)  # doctest: +SKIP
    """
    named = [rules] if isinstance(rules, (str, Rule, type)) else list(rules)
    wanted = settings_for([rule if isinstance(rule, str) else rule.name for rule in named], settings)
    tell = progress or (lambda _: None)
    if out is not None:
        if isinstance(data, Transitions):
            raise UserError(
                "a run that is kept in a folder notes where its data lie, and these are in memory alone: give the file or "
                "folder that they were read from, data=PATH, or leave out= away"
            )
        run = TrainingRun.open(task, Path(out), wanted, data=None if data is None else Path(data), device=device)
        for report in run.progress():
            tell(report)
        return run.trainer.parts()
    known = make_task(task) if isinstance(task, str) else task
    config = make_config(**(known.training_defaults(str(wanted.get("critic", "iql"))) | wanted))
    where = choose_device(device, training_work(config, known.info.observation_dim, known.info.action_dim))
    if not isinstance(data, Transitions):
        data = Source.of(None if data is None else Path(data), config.seed, clip_actions=False).load(known)
    trainer = Trainer(data, config, where)
    for report in fit(trainer):
        tell(report)
    return trainer.parts()
