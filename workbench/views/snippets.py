"""What "Copy as code" gives: a page as a script for a notebook. It imports public names and views, nothing else of the house."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.engine.digits import exact
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.training.plan import extra_parts
from workbench.views.links import changed_settings
from workbench.views.policies import UPLOAD, find
from workbench.views.question import Policy, Question
from workbench.views.rollouts import Order
from workbench.views.runs import Filter
from workbench.views.terrain import Plane

PUBLIC = "import workbench as wb"
PYPLOT = "import matplotlib.pyplot as plt"


def particles(question: Question) -> str:
    """A script that draws the stages, prints the numbers under them, and keeps the figure."""
    imports, setup = _policy(question.task, [policy.rule for policy in question.policies])
    imports.append("from workbench.views.question import Policy, Question, answer")
    if question.peak is not None:
        setup.append(f"task, parts = task.move_peak({_tuple(question.peak)}, parts)")
    return _script(
        imports,
        *setup,
        "policies = (",
        *(f"    {_policy_call(policy)}," for policy in question.policies),
        ")",
        "question = Question(",
        f"    {question.task!r}, policies, seed={question.seed}, shown={question.shown}, state={_tuple(question.state)}",
        ")",
        "shown = answer(question, parts, task)  # the behaviour flow and every rule, from the same noise",
        "for trace, numbers in zip(shown.traces, shown.numbers):",
        "    print(trace.rule, numbers)",
        "ground = wb.plots.landscape(parts, question.state)",
        "stages = [ground * wb.plots.paths(trace) * wb.plots.particles(trace) for trace in shown.traces]",
        f"picture = {' + '.join(f'stages[{i}]' for i in range(len(question.policies) + 1))}",
        *_kept("particles"),
    )


def landscape(question: Question, plane: Plane) -> str:
    """A script that draws the plane (or, with one action number, the line) with behaviour and steered actions."""
    first = question.first
    imports, setup = _policy(question.task, [first.rule])
    imports += [
        "from workbench.views.question import Policy, Question",
        "from workbench.views.terrain import View, terrain",
    ]
    if plane == "principal":
        imports.append(PYPLOT)
    dims = (0,) if find(question.task).task.info.action_dim == 1 else plane
    return _script(
        imports,
        *setup,
        f"rule = {_rule_call(first.make())}",
        "policies = (Policy(rule.name, rule.model_dump()),)",
        f"question = Question({question.task!r}, policies, {question.seed}, {question.shown}, "
        f"{question.state!r}, {question.peak!r})",
        "parts, task = question.posed(parts, task)",
        f"ground = terrain(View(question, {plane!r}), parts, task)",
        'print(f"trusted queries: {ground.trust.share:.0%}")',
        *(_PRINCIPAL if dims == "principal" else _plane(dims)),
    )


def _plane(dims: tuple[int, ...]) -> list[str]:
    return [
        f'dims, aggregate = {dims!r}, "mean"',
        "picture = wb.plots.landscape(parts, question.state, dims=dims, through=ground.basis.centre, aggregate=aggregate)",
        "for trace in ground.answer.traces:",
        "    picture = picture * wb.plots.particles(trace, dims=dims)",
        *_kept("landscape"),
    ]


def _kept(name: str, width: float = 6.9) -> list[str]:
    """The last lines: the picture as a file."""
    return [f'wb.plots.save(picture, "{name}.png", width={width})  # in a notebook: write `picture` as the last line']


_PRINCIPAL = (
    "if len(ground.basis.names) == 1:",
    "    plt.plot(ground.sections[0].place, ground.sections[0].mean)",
    "else:",
    "    reach = ground.extent",
    '    plt.imshow(ground.values, origin="lower", extent=(-reach, reach, -reach, reach))',
    "    for trace in ground.answer.traces:",
    "        plt.scatter(*ground.basis.coordinates(trace.actions.numpy()).T, s=6, label=trace.rule)",
    "plt.legend()",
    "plt.show()",
)


def rollouts(order: Order) -> str:
    """A script that plays both policies' episodes and draws their paths."""
    imports, setup = _policy(order.task, [order.rule])
    late = f", latency=wb.Latency(delay={order.delay}, way={order.way!r})" if order.delay else ""
    draw = "episodes(one, task)" if find(order.task).task.info.observation_dim > 1 else "rollouts(one)"
    return _script(
        [*imports, "from workbench.views.rollouts import play"],
        *setup,
        "rules = [",
        *(f"    {_rule_call(rule)}," for rule in order.rules()),
        "]",
        f"played = [play(rule, parts, task, episodes={order.episodes}, seed={order.seed}{late}) for rule in rules]",
        "for one in played:",
        "    print(one.strength, one.measured.returns, one.measured.success)",
        f"first, second = (wb.plots.{draw} for one in played)",
        "picture = first + second",
        *_kept("rollouts"),
    )


def budget(where: str, task: str) -> str:
    """A script that draws return against shift, from the store at ``where``; without one the shipped example."""
    own = f"wb.curves(wb.Store({where!r}))" if where else "shipped_curves()"
    return _script(
        [PUBLIC] if where else [PUBLIC, "from workbench.views.measured import shipped_curves"],
        f"measured = [curve for curve in {own} if curve.task == {task!r}]",
        "picture = wb.plots.frontier(measured)",
        *_kept("budget", 3.35),
    )


def compare(where: str, methods: Sequence[str], tasks: Sequence[str], measure: str, scaled: str) -> str:
    """A script that prints methods over tasks, and draws profiles and what computing buys; ``where`` as for `budget`."""
    own = f"wb.curves(wb.Store({where!r}))" if where else "list(shipped_curves())"
    imports = [PUBLIC, "from workbench.views.compare import compare"]
    return _script(
        imports if where else [*imports, "from workbench.views.measured import shipped_curves"],
        f"measured = {own}",
        "methods = [",
        *(f"    {name!r}," for name in methods),
        "]",
        "tasks = [",
        *(f"    {name!r}," for name in tasks),
        "]",
        f"board = compare(measured, methods, tasks, measure={measure!r})",
        "for one in board.standings:",
        '    print(f"{one.method:24} {one.middle.mean:.3f} [{one.middle.low:.3f}, {one.middle.high:.3f}]")',
        f"picture = wb.plots.profiles(board) + wb.plots.scaling(measured, {scaled!r}, methods)",
        *_kept("compare"),
    )


def runs(where: str, wanted: Filter, keys: Sequence[str]) -> str:
    """A script that prints the list of runs, and the comparison of ``keys`` when there are several."""
    settings = ", ".join(f"{name}={value!r}" for name, value in wanted.changed().items())
    several = len(keys) > 1
    compared = (f"print(pd.DataFrame(side_by_side(store, {list(keys)!r})).to_string())",) if several else ()
    return _script(
        [
            PUBLIC,
            "import pandas as pd",
            f"from workbench.views.runs import Filter{', side_by_side' if several else ''}",
        ],
        f"store, wanted = wb.Store({where!r}), Filter({settings})",
        "rows = [row for row in store.rows() if wanted(row)]",
        'columns = ["key", "status", "task", "seed", "shift", "gap", "finished"]',
        "table = pd.DataFrame([row.as_dict() for row in rows], columns=columns)",
        'table["rule"] = [row.label for row in rows]',
        'table["return"] = [row.returns and row.returns["mean"] for row in rows]',
        "print(table.to_string(index=False))",
        *compared,
    )


def training(folder: str, task: str, step: int) -> str:
    """A script that evaluates the run in ``folder`` as it was at ``step`` (at the end with −1), and draws its losses."""
    at = f", {step}" if step >= 0 else ""
    return _script(
        [PUBLIC, "from workbench.views.training import parts_at"],
        f"run = wb.load_run({folder!r})",
        f"parts = parts_at(run{at})",
        f"task = wb.make_task({task!r})",
        'measured = wb.evaluate(wb.make_rule("qgf"), parts, task, episodes=200, seed=1, probes=run.probes)',
        "print(measured.as_dict())",
        "picture = wb.plots.training(run)",
        *_kept("training", 3.35),
    )


def _script(imports: Iterable[str], *lines: str) -> str:
    """Imports, the house's own last, and the lines below them."""
    own = sorted({line for line in imports if "workbench" in line}, key=lambda line: (line.startswith("from"), line))
    others = sorted({line for line in imports if "workbench" not in line})
    return "\n".join([*others, *([""] if others else []), *own, "", *lines]) + "\n"


def _policy(name: str, rules: Sequence[str]) -> tuple[list[str], list[str]]:
    """Imports, and lines that make ``task`` and ``parts`` of the policy ``name`` with what ``rules`` need."""
    source = find(name)
    learned = [rule for rule in dict.fromkeys(rules) if extra_parts(RULES[rule].needs)]
    names = ", ".join(map(repr, (name, *learned)))
    call = f"parts = parts_for({names})  # trained once, then read from your cache"
    imports = [PUBLIC, "from workbench.views.parts import parts_for"]
    if source.run is None:
        return imports, [f"task = wb.make_task({name!r})", call]
    if name.startswith(UPLOAD):
        note = "  # the folder of the checkpoint that you uploaded"
        return [PUBLIC], [f"run = wb.load_run('RUN'){note}", "task = wb.make_task(run.task)", "parts = run.parts()"]
    first = [f"run = wb.load_run({str(source.run.folder)!r})", "task = wb.make_task(run.task)"]
    return (imports, [*first, call]) if learned else ([PUBLIC], [*first, "parts = run.parts()"])


def _rule_call(rule: Rule) -> str:
    fields = type(rule).model_fields
    changed = {name: value for name, value in rule.model_dump().items() if value != fields[name].default}
    return f"wb.make_rule({', '.join([repr(rule.name), *(f'{name}={value!r}' for name, value in changed.items())])})"


def _policy_call(policy: Policy) -> str:
    settings = changed_settings(policy)
    return f"Policy({policy.rule!r}, {settings!r})" if settings else f"Policy({policy.rule!r})"


def _tuple(values: tuple[float, ...]) -> str:
    """A tuple of short numbers; Python writes one of a single number with a comma."""
    inside = ", ".join(exact(value) for value in values)
    return f"({inside},)" if len(values) == 1 else f"({inside})"
