"""Lessons 1 to 4: what a participant's function can do wrong is told apart, in words, whatever form the mistake takes."""
# ruff: noqa: E501 (a function on one line is a mutant at one glance)

import linecache
import re
from pathlib import Path

import pytest
import torch

import workbench as wb
from workbench.course.answers import function
from workbench.course.exercise import Compared
from workbench.course.exercises import EXERCISES, critics, first, flows, qgf

MINE = [exercise for lesson in (first, flows, critics, qgf) for exercise in lesson.EXERCISES]
FUNCTIONS = [e.name for e in MINE if isinstance(e, Compared) and callable(e.right)]
RAW = re.compile(r"RuntimeError|TypeError|Traceback|tensor a \(|mat1|non-singleton|<locals>|torch\.Size")


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(code: str, name: str):
    """The function ``name`` of a cell with this code, as IPython would make it: its lines can be shown."""
    file = f"<cell {abs(hash(code))}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    names = {"torch": torch}
    exec(compile(code, file, "exec"), names)  # noqa: S102 (a participant's cell)
    return names[name]


@pytest.mark.parametrize("exercise", MINE, ids=lambda exercise: exercise.name)
def test_at_least_eight_typical_mistakes(exercise):
    assert len(exercise.mistakes) >= 8


# Mutations of a right answer: (exercise, the code of a cell). Every one must fail, and none may be mistaken for another
# mistake: the words are those of its own kind.
MUTANTS = [
    ("first.moved", "def f(a, b):\n    return (b - a).norm(dim=1).sum() / 6", "missing"),
    ("first.moved", "def f(a, b):\n    return ((a - b) ** 2).sum(1).mean() ** 0.5", "root comes too late"),
    ("first.moved", "def f(a, b):\n    return torch.dist(a, b)", "length of the whole table"),
    ("first.moved", "def f(a, b):\n    return torch.dist(a, b) / len(a)", "missing"),
    ("first.moved", "def f(a, b):\n    return -(a - b).norm(dim=1).mean()", "sign is turned"),
    ("first.moved", "def f(a, b):\n    a -= b\n    return a.norm(dim=1).mean()", "writes into a tensor"),
    ("first.moved", "def f(a, b):\n    return int((a - b).norm(dim=1).mean())", "whole"),
    ("first.moved", "def f(a, b):\n    return ((a - b).T.norm(dim=1)).mean()", "A particle is a row"),
    ("first.moved", "def f(a, b):\n    return (a[1:] - b[1:]).norm(dim=1).mean()", "not finite"),
    ("first.moved", "def f(a, b):\n    return (a - b).norm(dim=1).mean() * 2", "2 times the right ones"),
    ("flows.target", "def f(x0, x1):\n    return (x1 - x0).T", "lies on its side"),
    ("flows.target", "def f(x0, x1):\n    return (x1 - x0).int()", "whole"),
    ("flows.target", "def f(x0, x1):\n    x1.sub_(x0)\n    return x1", "writes into a tensor"),
    ("flows.target", "def f(x0, x1):\n    return x1 + -1 * x0 * 0.5", "Think of a car"),
    ("flows.target", "def f(x0, x1):\n    return 3 * (x1 - x0)", "3 times the right ones"),
    ("flows.target", "def f(x0, x1):\n    return (x1 - x0).sum(1)", "check the shape"),
    ("flows.target", "def f(x0, x1):\n    return torch.clip(x1 - x0, -1, 1)", "velocities are not"),
    ("flows.target", "def f(x0, x1):\n    return (x1 - x0) / 0", "not finite"),
    ("flows.euler", "def f(v, a, T):\n    t = 0\n    while t < 1.0:\n        a = a + v(a, t) / T\n        t = t + 1 / T\n    return a", "eleven"),
    ("flows.euler", "def f(v, a, T):\n    t = 0\n    while t <= 1.0:\n        a = a + v(a, t) / T\n        t = t + 1 / T\n    return a", "while t <= 1"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(T):\n        a += v(a, i / T) / T\n    return a", "writes into a tensor"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(T):\n        a = a + v(a, i / T) * T\n    return a", "Look at the loop"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(T):\n        a = a + v(a, i // T) / T\n    return a", "Look at the loop"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(T):\n        a = a + v(a, i / T) / T\n        return a", "Look at the loop"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(1, T + 1):\n        a = a + v(a, i / T) / T\n    return a", "Your time runs from 1/T"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(T):\n        a = v(a, i / T) / T\n    return a", "Look at the loop"),
    ("flows.euler", "def f(v, a, T):\n    ways = [a]\n    for i in range(T):\n        ways.append(ways[-1] + v(ways[-1], i / T) / T)\n    return torch.stack(ways)", "check the shape"),
    ("flows.euler", "def f(v, a, T):\n    for i in range(int(T) - 1, -1, -1):\n        a = a + v(a, i / T) / T\n    return a", "Look at the loop"),
    ("critics.expectile", "def f(u, tau):\n    return (abs(tau - (u > 0).float()) * u**2).mean()", "swapped"),
    ("critics.expectile", "def f(u, tau):\n    return (torch.where(u < 0, 1 - tau, tau) * u**2).median()", "Try u ="),
    ("critics.expectile", "def f(u, tau):\n    return torch.maximum(tau * u, (tau - 1) * u).mean()", "quantiles"),
    ("critics.expectile", "def f(u, tau):\n    return (torch.where(u < 0, 0.1, 0.9) * u**2).mean()", "Try u ="),
    ("critics.expectile", "def f(u, tau):\n    return (torch.where(u < 0, 1 - tau, tau) * u**2).sum() / 5", "Try u ="),
    ("critics.expectile", "def f(u, tau):\n    return -(torch.where(u < 0, 1 - tau, tau) * u**2).mean()", "sign is turned"),
    ("critics.expectile", "def f(u, tau):\n    return (torch.where(u < 0, -tau, tau) * u**2).mean()", "Try u ="),
    ("critics.expectile", "def f(u, tau):\n    if u < 0:\n        return ((1 - tau) * u**2).mean()\n    return (tau * u**2).mean()", "torch.where"),
    ("qgf.clean", "def f(a, v, t):\n    return (a + (1 - t) * v).clamp(min=-1)", "From a, with velocity v"),
    ("qgf.clean", "def f(a, v, t):\n    return (a + (1 - t) * v).clamp(max=1)", "From a, with velocity v"),
    ("qgf.clean", "def f(a, v, t):\n    return (a + 0.9 * (1 - t) * v).clamp(-1, 1)", "From a, with velocity v"),
    ("qgf.clean", "def f(a, v, t):\n    return ((1 - t) * a + v).clamp(-1, 1)", "From a, with velocity v"),
    ("qgf.clean", "def f(a, v, t):\n    a += (1 - t) * v\n    return a.clamp(-1, 1)", "writes into a tensor"),
    ("qgf.clean", "def f(a, v, t):\n    return (a + (1 - t) * v).clamp(-1, 1).T", "check the shape"),
    ("qgf.clean", "def f(a, v, t):\n    return torch.sign(a + (1 - t) * v)", "whole"),
    ("qgf.clean", "def f(a, v, t):\n    return (a + (1 - t) * v).clamp(-1, 1).mean(0)", "check the shape"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a + (v + g / w) / T if w else a + v / T", "divided by w"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a + (v + w * g) * T", "with δ = 1/T"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a + (v + w * g) / 10", "with δ = 1/T"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a - (v + w * g) / T", "with δ = 1/T"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a + (v + w * g.mean(0)) / T", "with δ = 1/T"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a + (v + w * g.sign()) / T", "with δ = 1/T"),
    ("qgf.step", "def f(a, v, g, w, T):\n    a += (v + w * g) / T\n    return a", "writes into a tensor"),
    ("qgf.step", "def f(a, v, g, w, T):\n    return a + (v + w * g) // T", "with δ = 1/T"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p * torch.exp(q - beta)\n    return x / x.sum()", "beta drops out"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p * torch.exp(q) / beta\n    return x / x.sum()", "beta drops out"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p ** (1 / beta) * torch.exp(q)\n    return x / x.sum()", "x divided by the sum"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p * torch.exp(q / beta)\n    return x / x.mean()", "x divided by the sum"),
    ("qgf.tilted", "def f(p, q, beta):\n    p *= torch.exp(q / beta)\n    return p / p.sum()", "writes into a tensor"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p * torch.exp(q / beta)\n    return x / x.norm()", "x divided by the sum"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p * 2 ** (q / beta)\n    return x / x.sum()", "x divided by the sum"),
    ("qgf.tilted", "def f(p, q, beta):\n    x = p * torch.exp(q / beta)\n    return (x / x.sum()).argmax()", "check the shape"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code", "words"), MUTANTS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(MUTANTS)])
@pytest.mark.filterwarnings("ignore:The use of `x.T`")
def test_a_mutated_answer_is_wrong_and_told_why(name, code, words):
    note = wb.course.check(name, written(code, "f"))
    assert not note.right
    assert words in note.text
    assert not RAW.search(note.text)


def test_every_function_of_lessons_1_to_4_has_eight_mutants():
    for name in FUNCTIONS:
        assert sum(mutant[0] == name for mutant in MUTANTS) >= 8, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_asked_at_three_inputs_that_tell_typical_mistakes_apart(name, monkeypatch):
    asked = []
    right = EXERCISES[name].right

    def counted(*arguments):
        asked.append(arguments)
        return right(*arguments)

    assert wb.course.check(name, counted).right
    assert len(asked) >= 3
    shapes = {tuple(getattr(x, "shape", x if isinstance(x, (int, float)) else ())) for call in asked for x in call
              if isinstance(x, torch.Tensor)}  # fmt: skip
    numbers = {x for call in asked for x in call if isinstance(x, (int, float))}
    assert len(shapes) + len(numbers) >= 3  # not three times the same


STOPS = [
    ("def f(x0, x1):\n    return x0 @ x1", "line 2, `return x0 @ x1`. The shapes of two tensors do not fit together there. It was called with x0 of shape (5, 2), x1 of shape (5, 2)"),
    ("def f(x0, x1):\n    y = x1[:, :1].expand(7, 3)\n    return y - x0", "do not fit together"),
    ("def f(x0, x1):\n    return torch.cat([x0, x1[:1].T])", "do not fit together"),
    ("def f(x0, x1):\n    return x0.view(3, 7)", "do not fit together"),
    ("def f(x0, x1):\n    return x1.norm(dim=5)", "row or a dimension that is not there"),
    ("def f(x0, x1):\n    return x1[9] - x0", "row or a dimension that is not there"),
    ("def f(x0, x1):\n    return x2 - x0", "Nothing is called `x2` there"),
    ("def f(x0, x1):\n    return x1.lenght - x0", "A Tensor has nothing called `lenght`"),
    ("def f(x0, x1):\n    return (x1 - x0) / len([])* (1 / 0)", "divides by zero"),
    ("def f(x0, x1):\n    return f(x0, x1)", "calls itself without end"),
    ("def f(x0, x1):\n    return x1(1) - x0", "no function is called there"),
    ("def f(x0, x1):\n    return x1 - ...", "A `...` is still in it"),
    ("def f(x0, x1):\n    return x1 - 'x0'", "does not work between Tensor and str"),
    ("def f(x0, x1):\n    return x1.clamp('a')", "cannot use"),
    ("def f(x0, x1):\n    if x1 > x0:\n        return x1\n    return x0", "an `if`, `and` or `or` asks a whole tensor"),
    ("def f(x0, x1):\n    return x1.long() @ x0.T", "Whole numbers, yes/no and decimals are mixed"),
    ("def g(x):\n    return x[:, 7]\n\n\ndef f(x0, x1):\n    return g(x1)", "stopped in `g`, `return x[:, 7]`"),
    ("def f(x0, x1):\n    raise KeyError('x')", "raised KeyError"),
    ("def f(x0):\n    return x0", "is called as target(x0, x1), with 2 arguments; yours is f(x0)"),
    ("def f(x0, x1, t):\n    return x0", "yours is f(x0, x1, t)"),
    ("class f:\n    def __init__(self, x0, x1): pass", "got the class f"),
    ("f = 3", "A function is wanted, to be called as target(x0, x1); got a int"),
    ("def f(x0, x1):\n    return x0, x1[:1]", "2 of different shapes"),
    ("def f(x0, x1):\n    return print", "should return numbers, it returned a builtin_function"),
    ("def f(x0, x1):\n    return {'v': x1 - x0}", "should return numbers, it returned a dict"),
    ("def f(x0, x1):\n    return (x1 - x0) * 1j", "should return numbers"),
    ("def f(x0, x1):\n    if len(x0) == 5:\n        return x1 - x0", "returns nothing when it is called with x0 of shape (1, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words"), STOPS, ids=range(len(STOPS)))
def test_a_function_that_stops_is_told_where_and_why(code, words):
    note = wb.course.check("flows.target", written(code, "f"))
    assert note.kind == "wrong"
    assert words.lower() in note.text.lower()
    assert not RAW.search(note.text)


def test_a_field_that_is_called_wrongly_is_named():
    note = wb.course.check("flows.euler", written("def f(v, a, T):\n    return v(a)", "f"))
    assert "`v` is called with too few, too many or wrongly named arguments" in note.text
    assert "line 2" in note.text


def test_right_answers_in_other_forms():
    right = [
        ("first.moved", "def f(a, b):\n    return torch.linalg.vector_norm(b - a, dim=-1).mean().numpy()"),
        ("first.moved", "def f(a, b):\n    return sum(float(((x - y) ** 2).sum()) ** 0.5 for x, y in zip(a, b)) / len(a)"),
        ("flows.target", "def f(x0, x1):\n    return [row.tolist() for row in -x0 + x1]"),
        ("flows.euler", "def f(v, a, T):\n    for i, _ in enumerate(T * [0]):\n        a = a + v(a, i / T) * (1 / T)\n    return a"),
        ("flows.euler", "def f(v, a, T):\n    a = a.clone()\n    for i in range(T):\n        a += v(a, i / T) / T\n    return a"),
        ("critics.expectile", "def f(u, tau):\n    return (abs(tau - (u < 0).float()) * u * u).mean()"),
        ("critics.expectile", "def f(u, tau):\n    return (tau * u.clamp(min=0)**2 + (1 - tau) * u.clamp(max=0)**2).mean()[None]"),
        ("qgf.clean", "def f(a, v, t):\n    return torch.clip(a + v - t * v, -1, 1).numpy()"),
        ("qgf.step", "def f(a, v, g, w, T):\n    return a + v / T + w * g / T"),
        ("qgf.tilted", "def f(p, q, beta):\n    return torch.softmax(p.log() + q / beta, 0)"),
    ]  # fmt: skip
    for name, code in right:
        assert wb.course.check(name, written(code, "f")).right, (name, code)


def test_the_reader_of_functions_accepts_what_has_no_signature():
    assert torch.equal(function("f(a, b)", (2, 3))(max)[0], torch.tensor(3.0, dtype=torch.float64))
