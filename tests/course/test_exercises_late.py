"""Exercises of lessons 5 to 8: right answers of another make pass, slips do not, and no library talks to beginners."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.course.exercises import EXERCISES
from workbench.engine.steering.protocol import AfterFlow, DuringFlow, Info
from workbench.engine.steering.rules import RULES

LATE = [name for name in EXERCISES if name.split(".")[0] in ("vgf", "shift", "real", "own")]
RAW = re.compile(r"size of tensor|mat1|RuntimeError|Traceback|Expected all|expected scalar|non-singleton|TypeError")


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fault(name: str, answer: object) -> str:
    said = EXERCISES[name].fault(answer)
    assert not RAW.search(said), said
    return said


@pytest.mark.parametrize("name", LATE)
def test_at_least_eight_typical_mistakes_are_known(name):
    assert len(EXERCISES[name].mistakes) >= 8


RIGHT = {
    "vgf.kernel": (
        lambda x, y, s: np.exp(-((x - y).numpy() ** 2).sum(1) / (2 * s * s)),
        lambda x, y, s: torch.tensor([torch.exp(-0.5 * ((a - b).norm() / s) ** 2) for a, b in zip(x, y, strict=True)]),
        lambda x, y, s: torch.cdist(x, y).diag().square().div(-2 * s**2).exp(),
        lambda x, y, s: torch.exp(-((x - y) ** 2).sum(dim=1, keepdim=True) / (2 * s**2)),
    ),
    "vgf.pull": (
        lambda k, g, alpha: torch.einsum("ij,jd->id", k, g) / len(g) / alpha,
        lambda k, g, alpha: (k[..., None] * g).mean(1) / alpha,
        lambda k, g, alpha: [[float(k[i] @ g[:, d]) / (len(g) * alpha) for d in range(2)] for i in range(len(g))],
    ),
    "shift.matched": (
        lambda x, y, s: np.interp(s, *np.array(sorted(zip(x, y, strict=True))).T),
        lambda x, y, s: float(np.interp(s, sorted(x), [dict(zip(x, y, strict=True))[d] for d in sorted(x)])),
    ),
    "vgf.adam": ("0.1", "1/10", np.float32(0.1), torch.tensor([0.1])),
    "real.horizon": (138.3, "138.28", 139, np.log(0.5) / np.log(0.995)),
    "real.twenty": (0.861, "86%", 0.85, 0.05**0.05),
}


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, many in RIGHT.items() for answer in many])
def test_a_right_answer_of_another_make_passes(name, answer):
    assert fault(name, answer) == ""


KERNELS = {
    "exponent without 2 and square": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / s),
    "fixed width": lambda x, y, s: torch.exp(-2 * (x - y).square().sum(1)),
    "fixed width 0.5": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / 0.5),
    "mean": lambda x, y, s: torch.exp(-(x - y).square().mean(1) / (2 * s**2)),
    "4": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (4 * s**2)),
    "square of 2σ": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (2 * s) ** 2),
    "cube": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (2 * s**3)),
    "root": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (2 * s**0.5)),
    "base 2": lambda x, y, s: torch.exp2(-(x - y).square().sum(1) / (2 * s**2)),
    "absolute": lambda x, y, s: torch.exp(-((x - y).abs().sum(1) ** 2) / (2 * s**2)),
    "first coordinate": lambda x, y, s: torch.exp(-(x - y)[:, 0].square() / (2 * s**2)),
    "density": lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (2 * s**2)) / (s * 2.5066),
    "y alone": lambda x, y, s: torch.exp(-y.square().sum(1) / (2 * s**2)),
    "plus": lambda x, y, s: torch.exp(-(x + y).square().sum(1) / (2 * s**2)),
    "one": lambda x, y, s: torch.ones(len(x)),
    "dim 0": lambda x, y, s: torch.exp(-(x - y).square().sum(0) / (2 * s**2)),
}
PULLS = {
    "no mean": lambda k, g, alpha: k @ g / alpha,
    "N - 1": lambda k, g, alpha: k @ g / ((len(g) - 1) * alpha),
    "no alpha": lambda k, g, alpha: k @ g / len(g),
    "times alpha": lambda k, g, alpha: k @ g * alpha / len(g),
    "root alpha": lambda k, g, alpha: k @ g / (len(g) * alpha**0.5),
    "by 6": lambda k, g, alpha: k @ g / (6 * alpha),
    "by 0.4": lambda k, g, alpha: k @ g / (0.4 * len(g)),
    "without itself": lambda k, g, alpha: (k - torch.eye(len(g))) @ g / (len(g) * alpha),
    "mean only": lambda k, g, alpha: g.mean(0).expand_as(g) / alpha,
    "own": lambda k, g, alpha: k.sum(1, keepdim=True) * g / (len(g) * alpha),
    "squared": lambda k, g, alpha: k**2 @ g / (len(g) * alpha),
    "transposed": lambda k, g, alpha: (k @ g / (len(g) * alpha)).T,
}
AT_SHIFT = {
    "unsorted": lambda x, y, s: np.interp(s, x, y),
    "nearest": lambda x, y, s: y[int(np.abs(np.array(x) - s).argmin())],
    "shifts sorted": lambda x, y, s: np.interp(s, sorted(x), y),
    "both sorted": lambda x, y, s: np.interp(s, sorted(x), sorted(y)),
    "sorted by return": lambda x, y, s: np.interp(s, *np.array(sorted(zip(x, y, strict=True), key=lambda p: p[1])).T),
    "reversed": lambda x, y, s: np.interp(s, x[::-1], y[::-1]),
    "parabola": lambda x, y, s: np.polyval(np.polyfit(x, y, min(2, len(x) - 1)), s),
    "first": lambda x, y, s: y[0],
    "mean": lambda x, y, s: float(np.mean(y)),
    "best": lambda x, y, s: max(y),
    "constant": lambda x, y, s: 0.68,
}
MANY = {"vgf.kernel": KERNELS, "vgf.pull": PULLS, "shift.matched": AT_SHIFT}
SLIPS = [(name, slip) for name, many in MANY.items() for slip in many.items()]


@pytest.mark.parametrize(("name", "slip"), SLIPS, ids=[f"{name}-{slip[0]}" for name, slip in SLIPS])
def test_a_slip_is_seen(name, slip):
    assert fault(name, slip[1])


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        ("mean", "mean over the coordinates"),
        ("exponent without 2 and square", "2 in 2σ²"),
        ("fixed width", "σ does not count"),
    ],
)
def test_the_diagnosis_is_the_right_one(slip, words):
    assert words in fault("vgf.kernel", KERNELS[slip])


ODD = (
    3,
    "text",
    [1, 2],
    torch.zeros(3),
    int,
    lambda: 1,
    lambda a: a,
    lambda a, b, c: 1 / 0,
    lambda a, b, c: a.nonsense,
    lambda a, b, c: nowhere,  # noqa: F821
    lambda a, b, c: torch.zeros(3, 4) @ torch.zeros(3, 4),
    lambda a, b, c: torch.zeros(5) + torch.zeros(4),
    lambda a, b, c: torch.tensor([1, 2]) @ torch.tensor([0.5, 1.0]),
    lambda a, b, c: torch.zeros(2).sum(7),
    lambda a, b, c: [][1],
    lambda a, b, c: None + 1,
    lambda a, b, c: a if torch.zeros(3) > 0 else b,
    lambda a, b, c: {},
    lambda a, b, c: "word",
    lambda a, b, c: torch.full((6,), torch.nan),
    lambda a, b, c: torch.zeros(0),
)


@pytest.mark.parametrize("name", ["vgf.kernel", "vgf.pull", "shift.matched", "vgf.adam", "real.horizon", "real.twenty"])
@pytest.mark.parametrize("number", range(len(ODD)))
def test_whatever_is_handed_in_is_answered_in_words(name, number):
    if isinstance(ODD[number], int) and name in ("real.horizon",):
        assert fault(name, ODD[number])
        return
    assert len(fault(name, ODD[number])) > 15


@pytest.mark.parametrize("odd", [3, "z", None, torch.zeros(3), int, [], {"a": 1}, "best", "ab"])
def test_a_choice_that_is_none_is_answered_in_words(odd):
    assert "Answer with one of" in fault("shift.honest", odd)


# Lesson 8: policies -------------------------------------------------------------------------------------------------


def field(s, a, t):
    return -a


def slope(s, a):
    return a.sum(1)


def lesson_velocity(observations, actions, t):
    ring = 0.6 * actions / actions.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return (ring - actions) / (1.05 - t)[:, None]


def lesson_critic(observations, actions):
    return 1.0 - (actions - torch.tensor([0.9, 0.3])).square().sum(dim=1)


def changing(s, a):
    a.mul_(0.5)
    return a.sum(1)


def parts(reference=field, critic=slope):
    return wb.Parts(1, 2, reference=reference, critic=critic)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (parts(lesson_velocity, lesson_critic), "lesson's own example"),
        (parts(lesson_velocity), "lesson's own example"),
        (parts(critic=lesson_critic), "lesson's own example"),
        (wb.make_task("bandit2d").parts(), "come from the workbench"),
        (parts(critic=lambda s, a: a), "(M,)"),
        (parts(critic=lambda s, a: a.mean()), "(M,)"),
        (parts(critic=lambda s, a: float(a.sum())), "not a tensor"),
        (parts(critic=lambda s, a: a @ s), "do not fit together"),
        (parts(critic=lambda s, a: s.sum(1)), "gradient"),
        (parts(critic=lambda s, a: a.sum(1).round()), "gradient"),
        (parts(critic=lambda s, a: a.sum(1) / 0), "NaN or infinity"),
        (parts(critic=lambda s, a: torch.rand(len(a)) + a.sum(1)), "two answers"),
        (parts(critic=lambda s, a: a.sum(1) - a.sum()), "other rows"),
        (parts(critic=changing), "in place"),
        (parts(critic=lambda s, a: 1 / 0), "divides by zero"),
        (parts(critic=lambda s: s), "must take 2 arguments"),
        (parts(critic=torch.zeros(3)), "A function is wanted"),
        (parts(reference=lambda s, a, t: a.T), "(M, D)"),
        (parts(reference=lambda s, a, t: t - a), "do not fit together"),
        (parts(reference=lambda s, a, t: None), "returns nothing"),
        (parts(reference=lambda s, a, t: 9 * a), ""),
        (field, "Bundle them first"),
        ((field, slope), "Bundle them first"),
        (None, "Bundle them first"),
    ],
)
def test_a_policy_that_will_not_do_is_told_why(answer, words):
    said = fault("own.parts", answer)
    assert said
    assert words in said


def test_policies_of_ones_own_pass():
    larger = parts(lambda s, a, t: (0.3 * a / a.norm(dim=1, keepdim=True) - a) / (1.05 - t)[:, None])
    assert fault("own.parts", larger) == ""
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    assert fault("own.parts", parts(critic=lambda s, a: network(torch.cat([s, a], 1))[:, 0])) == ""
    assert fault("own.parts", wb.Parts(3, 4, reference=field, critic=lambda s, a: a.tanh().sum(1))) == ""


# Lesson 8: rules ----------------------------------------------------------------------------------------------------


def rule(guidance=None, base=DuringFlow, **more):
    body = {"__doc__": "Of a participant.", "title": "T", "paper": "p", "equation": "g", "name": "course_late"}
    body |= {"__module__": "notebook"}
    if guidance is not None:
        body["guidance"] = guidance
    return type(base)("Late", (base,), body | more)


def of_q(make):
    """A guidance that makes something of the gradient at the noisy action."""

    def guidance(self, parts, rows, actions, velocity, t):
        q, g = self.critic_gradient(parts, rows, actions)
        return make(g), q, actions

    return guidance


def clean(self, parts, rows, actions, velocity, t):
    at = (actions + (1 - t) * velocity).clamp(-1, 1)
    q, g = self.critic_gradient(parts, rows, at)
    return g, q, at


def sign(self, parts, rows, actions, velocity, t):
    g, q, at = clean(self, parts, rows, actions, velocity, t)
    return g.sign(), q, at


def swapped(self, parts, rows, actions, velocity, t):
    q, g = self.critic_gradient(parts, rows, actions)
    return q, g, actions


def in_place(self, parts, rows, actions, velocity, t):
    q, g = self.critic_gradient(parts, rows, actions)
    actions += 0.1
    return g, q, actions


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (rule(), "no `guidance` yet"),
        (rule(base=AfterFlow), "no `move` yet"),
        (rule(base=RULES["qgf"]), "exactly as"),
        (rule(base=RULES["vgf"]), "exactly as"),
        (rule(clean), "exactly as"),
        (rule(sign), "lesson's own example"),
        (rule(of_q(lambda g: g)), "exactly as"),
        (rule(of_q(lambda g: 0 * g)), "moves nothing"),
        (rule(of_q(lambda g: g / 0)), "not finite"),
        (rule(of_q(lambda g: g / g.norm())), "other states"),
        (rule(of_q(lambda g: g - g.mean(0))), "other states"),
        (rule(of_q(lambda g: g + torch.randn_like(g))), "no random numbers"),
        (rule(of_q(lambda g: g[..., 0])), "must have shape"),
        (rule(of_q(lambda g: g @ torch.eye(3))), "do not fit together"),
        (rule(of_q(lambda g: g * torch.tensor([1.0, 0.5]))), "do not fit together"),
        (rule(swapped), "must have shape"),
        (rule(in_place), "writes into the actions"),
        (rule(lambda self, parts, rows, actions, velocity, t: velocity), "three things"),
        (rule(lambda self, parts, rows, actions, velocity, t: None), "three things"),
        (rule(lambda self, parts, rows, actions, velocity, t: nowhere), "`nowhere`"),  # noqa: F821
        (rule(lambda self, parts, rows: 1), "arguments"),
        (rule(of_q(torch.sign), title=None), "Say its `title`"),
        (rule(of_q(torch.sign), name="vgf"), "its own `name`"),
        (rule(of_q(torch.sign))(), "Register it"),
    ],
)
def test_a_rule_that_will_not_do_is_told_why(answer, words, monkeypatch):
    if isinstance(answer, type) and answer.name == "course_late":
        monkeypatch.setitem(RULES, answer.name, answer)
    assert words in fault("own.rule", answer)


def drifting(self, parts, state):
    return 0.02 * torch.ones_like(state.actions), state, Info(1.0)


@pytest.mark.parametrize(
    "answer",
    [
        rule(of_q(lambda g: g / g.norm(dim=-1, keepdim=True).clamp_min(1e-6))),
        rule(of_q(lambda g: 2 * g)),
        rule(of_q(lambda g: g.clamp(-0.5, 0.5))),
        rule(base=AfterFlow, move=drifting),
    ],
)
def test_rules_of_ones_own_pass(answer, monkeypatch):
    monkeypatch.setitem(RULES, answer.name, answer)
    assert fault("own.rule", answer) == ""
