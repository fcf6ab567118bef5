"""Copy as code: a script of the workbench's public names that draws what the page shows."""

from __future__ import annotations

from workbench.views.links import changed_settings
from workbench.views.policies import find
from workbench.views.question import Policy, Question


def snippet(question: Question) -> str:
    """Python for a notebook cell or a file; its last lines print the numbers under the stages and keep the figure."""
    rules = ",\n".join(f"    {_rule(policy)}" for policy in question.policies)
    setup = "\n".join(find(question.task).lines([policy.rule for policy in question.policies]))
    peak = ""
    if question.peak is not None:
        peak = f"task, parts = task.move_peak({_numbers(question.peak)}, parts)\n"
    return f"""import workbench as wb
from workbench.ui.notebook import parts_for, picture
from workbench.views.question import Policy, Question, answer

{setup}
{peak}policies = (
{rules},
)
question = Question(
    {question.task!r}, policies, seed={question.seed}, shown={question.shown}, state={_numbers(question.state)}
)
found = answer(question, parts, task)  # the behaviour flow and every rule, from the same noise
for trace, numbers in zip(found.traces, found.numbers):
    print(trace.rule, numbers)
figure = picture(*found.traces, parts=parts)  # in a notebook: write `figure` as the last line
figure.savefig("particles.png", dpi=150)
"""


def _rule(policy: Policy) -> str:
    settings = changed_settings(policy)
    return f"Policy({policy.rule!r}, {settings!r})" if settings else f"Policy({policy.rule!r})"


def _numbers(values: tuple[float, ...]) -> str:
    inside = ", ".join(f"{value:.6g}" for value in values)
    return f"({inside},)" if len(values) == 1 else f"({inside})"
