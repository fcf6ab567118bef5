"""What each rule says of itself: equation, source, departures, and a cost that counting confirms."""

import ast
import inspect
import operator
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from contract.scenes import make_parts
from torch import Tensor

from workbench.engine.metrics.cost import evaluations_by_part
from workbench.engine.models.parts import Reference
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES, make_rule

each_rule = pytest.mark.parametrize("name", RULES)
SETTINGS = {"T": "flow_steps", "L": "steps", "N": "particles", "M": "samples"}
OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@each_rule
def test_the_docstring_says_everything(name: str) -> None:
    text = inspect.getdoc(RULES[name])
    assert text is not None
    assert ".. math::" in text
    for word in ("Source: ", "Cost: "):
        assert text.count(word) == 1, word
    if name != "bc":
        assert "Departures" in text
    assert re.search(r"arXiv \d{4}\.\d{5}", text)


def value(formula: str, letters: dict[str, int]) -> float:
    """The number behind "M T(T-1)/2": side by side means times."""
    spelled = re.sub(r"(?<=[\w)])\s*(?=\()|(?<=[\w)])\s+(?=\w)", "*", formula.strip())

    def of(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            result: float = OPERATORS[type(node.op)](of(node.left), of(node.right))
            return result
        if isinstance(node, ast.Name):
            return letters[node.id]
        assert isinstance(node, ast.Constant)
        return node.value  # type: ignore[return-value]

    return of(ast.parse(spelled, mode="eval").body)


def stated(rule: Rule) -> dict[str, float]:
    """The docstring's cost in rows by kind, for the rule's settings."""
    text = re.sub(r"\s+", " ", inspect.getdoc(type(rule)) or "")
    (cost,) = re.findall(r"Cost: (.*?)[.;](?: |$)", text)
    letters = {letter: getattr(rule, setting, 0) for letter, setting in SETTINGS.items()}
    found = {}
    for item in re.split(r", | and ", cost):
        match = re.fullmatch(r"(.+?) ([A-Za-z-]+?)[ -](evaluation|gradient|Jacobian product)s?(?: of .*)?", item)
        assert match, f"cost of {rule.name}: '{item}' is not 'FORMULA NAME evaluations', '… gradients' or a Jacobian"
        formula, what, kind = match.groups()
        key = {"velocity": "reference", "vector": "vjp"}.get(what, what.replace("-", "_"))
        found[f"{key} gradient" if what == "critic" and kind == "gradient" else key] = value(formula, letters)
    return found


class _Through(torch.autograd.Function):
    """The identity; its backward pass counts rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: list[int]) -> Tensor:
        ctx.rows = rows
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        ctx.rows.append(len(grad))
        return grad, None


def watched(reference: Reference, rows: list[int]) -> Reference:
    return lambda observations, actions, t: reference(observations, _Through.apply(actions, rows), t)


@each_rule
@pytest.mark.parametrize("particles", [1, 3])
@pytest.mark.parametrize("steps", [1, 4])
def test_the_stated_cost_is_the_counted_cost(name: str, particles: int, steps: int) -> None:
    settings = {"flow_steps": steps, "steps": steps + 1, "particles": particles, "pick": "greedy", "samples": 3}
    rule = make_rule(name, **{key: size for key, size in settings.items() if key in RULES[name].model_fields})
    parts, rows = make_parts(4, 2), []
    parts = replace(parts, reference=watched(parts.reference, rows))
    counted = evaluations_by_part(rule, parts, torch.zeros(4))
    if rows:
        counted["vjp"] = sum(rows)
    once = {
        key for key in counted if key in parts.extra and key not in rule.needs
    }  # asked at each step for all particles
    assert all(counted.pop(key) == steps for key in once)
    expected = {key: particles * number for key, number in stated(rule).items()}
    if particles > 1:
        expected["critic"] = expected.get("critic", 0) + particles
    assert counted == {key: number for key, number in expected.items() if number}


def test_formulas_are_read_as_written() -> None:
    assert value("T(T+3)/2", {"T": 4}) == 14
    assert value("T + M T(T-1)/2", {"T": 4, "M": 3}) == 22
    assert value("2 T", {"T": 4}) == 8
    assert value("1", {}) == 1
