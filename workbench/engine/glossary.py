"""One word per thing: what each number is called everywhere, its unit, what it says, what it hides, and who computes it.

Pages, tables, files, messages, docs and lessons take their labels from here; a test looks for words that do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["", "action units", "task units", "nats", "share", "standard deviations", "ms", "rows"]

VERSION = 2  # of what `Evaluation.as_dict` gives; `workbench.experiments.upgrade` reads the earlier one

BEHAVIOUR = "at 64 states that the behaviour policy visits, the same for every rule"
OWN = "at 64 states that the steered policy visits"
HERE = "at the state that is shown"
FIRST = "at the first state of each episode"


@dataclass(frozen=True)
class Term:
    """A number, as it is named everywhere.

    Attributes
    ----------
    key : str
        Its place in what `Evaluation.as_dict` gives, dots between; of numbers that only pages show, a name.
    label : str
        On pages, in heads of tables and columns of reports.
    symbol : str
        In equations; "" without one.
    unit : str
        "" for a pure number.
    meaning : str
        One line.
    hides : str
        What it does not say.
    function : str
        Where it is computed, below ``workbench``.
    where : str
        The states at which it is measured; "" where none are.
    """

    key: str
    label: str
    symbol: str
    unit: Unit
    meaning: str
    hides: str
    function: str
    where: str = ""

    @property
    def head(self) -> str:
        """Label and unit, as the head of an axis or a column."""
        return f"{self.label} ({self.unit})" if self.unit and self.unit != "share" else self.label

    @property
    def short(self) -> str:
        """Label where the place is said beside it: "Shift" below the words "at the state that is shown"."""
        return self.label.removesuffix(" here")

    @property
    def column(self) -> str:
        """Head of a column in a CSV file: the key, an underscore for each dot."""
        return self.key.replace(".", "_")

    @property
    def hint(self) -> str:
        """Meaning, states and unit in one line, as a tooltip says it."""
        unit = f"; {self.unit}" if self.unit and self.unit != "share" else ""
        where = f", {self.where}" if self.where else ""
        return f"{self.meaning}{where}{unit}"


TERMS: tuple[Term, ...] = (
    Term(
        "return", "Return", "R", "task units", "mean over episodes of the sum of rewards, not discounted",
        "that training seeds differ, often by more than the interval of one run shows",
        "engine.metrics.intervals.bootstrap_mean",
    ),
    Term(
        "success", "Success", "", "share", "share of the episodes that reached the goal",
        "how long it took, and what it cost",
        "engine.metrics.intervals.bootstrap_mean",
    ),
    Term(
        "gain", "Gain", "", "task units",
        "return minus the behaviour policy's return, episode by episode from the same starts and noise",
        "how it was had: a gain at a large shift rests on the critic alone",
        "engine.metrics.evaluate.evaluate",
    ),
    Term(
        "transport", "Transport", "", "action units",
        "mean length of the way that the critic's pushes take a particle",
        "pushes that cancel or that the flow undoes: transport can be large and the shift small; 0 for best-of-N",
        "engine.steering.trace.Trace.transport", BEHAVIOUR,
    ),
    Term(
        "shift.w2", "Shift", "W₂", "action units",
        "exact Wasserstein-2 distance between chosen and behaviour actions, without the floor of finite samples",
        "direction, and whether the new place is supported; that errors compound along the policy's own way",
        "engine.metrics.shift.shift_distance", BEHAVIOUR,
    ),
    Term(
        "shift.w2_floor", "Shift floor", "", "action units",
        "what two behaviour clouds of the same size read by chance; its square is taken off the shift's",
        "nothing where the clouds come from the same noise: there it is 0",
        "engine.metrics.shift.shift_distance", BEHAVIOUR,
    ),
    Term(
        "shift.sliced_w2", "Sliced shift", "SW₂", "action units",
        "the same by sliced Wasserstein-2 distance over 64 fixed directions",
        "shape: it is smaller than the exact distance in more than one dimension",
        "engine.metrics.shift.sliced_wasserstein2", BEHAVIOUR,
    ),
    Term(
        "shift.displacement", "Displacement", "‖Δa‖", "action units",
        "mean distance between a steered particle and the unsteered one of the same noise, before the pick",
        "the pick: best-of-N reads 0, though its actions are not distributed like the data's",
        "engine.metrics.shift.draw_clouds", BEHAVIOUR,
    ),
    Term(
        "shift.mmd2", "MMD²", "MMD²", "",
        "maximum mean discrepancy between chosen and behaviour actions at the behaviour cloud's bandwidth, at most 2",
        "how far a cloud has gone once it is a few bandwidths away",
        "engine.metrics.mmd.unbiased_mmd2", BEHAVIOUR,
    ),
    Term(
        "shift.nll", "Surprise", "−log p", "nats",
        "mean negative log-likelihood of the chosen actions under the behaviour flow",
        "clipping; and very large values only rank actions, they are no probabilities",
        "engine.metrics.likelihood.log_likelihood", BEHAVIOUR,
    ),
    Term(
        "shift.nll_behaviour", "Behaviour's surprise", "", "nats",
        "the same for the behaviour policy's own actions",
        "nothing of the steered policy",
        "engine.metrics.likelihood.log_likelihood", BEHAVIOUR,
    ),
    Term(
        "own_shift.w2", "Own-way shift", "", "action units",
        "the shift where steering leads",
        "what the behaviour policy would have done elsewhere: two rules are measured at different states",
        "engine.metrics.shift.shift_distance", OWN,
    ),
    Term(
        "own_shift.w2_floor", "Own-way shift floor", "", "action units",
        "what two behaviour clouds of the same size read by chance there",
        "nothing where the clouds come from the same noise",
        "engine.metrics.shift.shift_distance", OWN,
    ),
    Term(
        "own_shift.displacement", "Own-way displacement", "", "action units",
        "mean distance between a steered particle and the unsteered one of the same noise, before the pick",
        "the pick",
        "engine.metrics.shift.draw_clouds", OWN,
    ),
    Term(
        "occupancy.w2", "Occupancy shift", "", "standard deviations",
        "sliced Wasserstein-2 distance between the states of steered and of behaviour episodes, each coordinate over the "
        "spread of the behaviour states, without the floor of chance",
        "order and time: only which states are visited counts, long episodes more",
        "engine.metrics.visited.occupancy_shift",
    ),
    Term(
        "occupancy.floor", "Occupancy floor", "", "standard deviations",
        "what two sets of as many behaviour episodes read by chance; its square is taken off the occupancy shift's",
        "nothing of the steered policy",
        "engine.metrics.visited.occupancy_shift",
    ),
    Term(
        "support.inside", "Support", "", "share",
        "share of the chosen actions that are no farther from the data's than 95% of the data's own are, at similar states",
        "that a policy narrower than the data reads up to 100%, and one that draws from the data 95%",
        "engine.metrics.support.DataSupport.measure", BEHAVIOUR,
    ),
    Term(
        "support.distance", "Distance to data", "", "action units",
        "mean distance from a chosen action to the 5th nearest action of the data at similar states",
        "whether the states themselves are near the data",
        "engine.metrics.support.DataSupport.measure", BEHAVIOUR,
    ),
    Term(
        "support.usual", "Data's own distance", "", "action units",
        "the same for the data's own actions, each left out of its neighbours",
        "nothing of the steered policy",
        "engine.metrics.support.DataSupport.measure", BEHAVIOUR,
    ),
    Term(
        "promised", "Promised", "Q", "task units",
        "the critic's value of the first actions, without the reward scale",
        "whose value it is: the critic learned that of its own policy, not of the steered one",
        "engine.tasks.rollout.rollout", FIRST,
    ),
    Term(
        "earned", "Earned", "Σγᵗr", "task units",
        "the discounted return that came of the same first actions",
        "what would have come after the time limit",
        "engine.tasks.rollout.rollout", FIRST,
    ),
    Term(
        "gap", "Gap", "", "task units",
        "promised minus earned: the critic is wrong by so much",
        "its right zero: a critic of another policy is off before anything is exploited; read how it changes",
        "engine.metrics.evaluate.evaluate", FIRST,
    ),
    Term(
        "fitted_q", "Fitted-Q value", "V", "task units",
        "discounted value of following the rule, by a critic of its own that learned from data alone; nothing was played",
        "far outside the data it is too high: read it within support", "engine.training.loop.fqe.fitted_q_values", FIRST,
    ),
    Term(
        "importance.value", "Importance-weighted value", "", "task units",
        "discounted value of the data's own episodes, each weighted by how much rather the rule had acted so",
        "how few episodes carry it: read that beside it", "engine.metrics.importance.importance", FIRST,
    ),
    Term(
        "importance.effective", "Effective episodes", "", "", "how many episodes carry the importance-weighted value",
        "that it falls with the length of episodes, however near the policies", "engine.metrics.importance.importance",
    ),
    Term(
        "coverage.effective", "Modes kept", "", "",
        "exp of the entropy of the shares of episodes that took each way the task knows",
        "what happens inside a way",
        "engine.metrics.coverage.measure_coverage",
    ),
    Term(
        "coverage.shares", "Ways taken", "", "share", "share of the episodes that took each way the task knows",
        "what happens inside a way",
        "engine.metrics.coverage.measure_coverage",
    ),
    Term(
        "mmd_bound.mmd2", "Transported MMD²", "", "",
        "MMD² between the behaviour particles and the transported ones, before the pick",
        "that it is too large by what two clouds of N particles differ by chance",
        "engine.metrics.mmd.mmd_bound", BEHAVIOUR,
    ),
    Term(
        "mmd_bound.bound", "VGF's bound", "", "",
        "VGF's bound on that, with the largest gradient that was met",
        "that it is loose: it takes every particle to move at top speed in a straight line",
        "engine.metrics.mmd.mmd_bound", BEHAVIOUR,
    ),
    Term(
        "mmd_bound.stepwise", "Stepwise bound", "", "",
        "the same argument summed over steps, each with its own gradient and bandwidth",
        "the same",
        "engine.metrics.mmd.mmd_bound", BEHAVIOUR,
    ),
    Term(
        "network_evaluations", "Network evaluations", "", "rows",
        "rows through velocity field and critic for one decision (a gradient counts once, an ensemble once)",
        "backward passes, which cost about as much again",
        "engine.metrics.cost.network_evaluations",
    ),
    Term(
        "network_evaluations_per_action", "Evaluations per action", "", "rows",
        "the same for one step of the environment: over the length of a chunk",
        "the same",
        "engine.metrics.cost.network_evaluations",
    ),
    Term(
        "ms_per_decision", "Time per decision", "", "ms", "wall time of a decision in this evaluation, many states at a time",
        "the machine: compare within one run only",
        "engine.tasks.rollout.rollout",
    ),
    Term(
        "ms_per_action", "Time per action", "", "ms", "wall time for one step of the environment in this evaluation",
        "the machine",
        "engine.tasks.rollout.rollout",
    ),
    Term(
        "ms_alone", "Latency", "", "ms", "wall time of one decision at one state, median of warm calls",
        "the machine",
        "engine.metrics.cost.seconds_alone",
    ),
    # Numbers of one picture: the state is the one that is shown, and episodes may begin there.
    Term(
        "state.shift", "Shift here", "W₂", "action units",
        "exact Wasserstein-2 distance between chosen and behaviour actions, without the floor of finite samples",
        "every other state",
        "engine.metrics.shift.shift_distance", HERE,
    ),
    Term(
        "state.displacement", "Displacement here", "‖Δa‖", "action units",
        "mean distance between a steered particle and the unsteered one of the same noise, before the pick",
        "every other state, and the pick",
        "views.numbers.measure", HERE,
    ),
    Term(
        "state.transport", "Transport here", "", "action units",
        "mean length of the way that the critic's pushes take a particle",
        "every other state",
        "engine.steering.trace.Trace.transport", HERE,
    ),
    Term(
        "state.support", "Support here", "", "share",
        "share of the chosen actions that are no farther from the data's than 95% of the data's own are",
        "every other state",
        "engine.metrics.support.DataSupport.measure", HERE,
    ),
    Term(
        "state.promised", "Promised here", "Q", "task units",
        "mean value that the critic gives to the chosen actions",
        "every other state",
        "views.numbers.measure", HERE,
    ),
    Term(
        "state.promised_all", "Promised, all particles", "Q", "task units",
        "mean value that the critic gives to all particles, also those that are not picked",
        "the pick; before the end of the flow the critic is asked at noise",
        "views.question.climb", HERE,
    ),
    Term(
        "state.earned", "Earned here", "r", "task units",
        "mean true reward of the chosen actions",
        "that no rule may see it",
        "views.numbers.measure", HERE,
    ),
    Term(
        "state.gap", "Gap here", "", "task units", "promised minus earned: the critic is wrong by so much",
        "every other state",
        "views.numbers.measure", HERE,
    ),
    Term(
        "state.return", "Return here", "R", "task units",
        "mean return of episodes that begin at the state that is shown, with its 95% interval",
        "every other start",
        "engine.tasks.rollout.rollout", HERE,
    ),
    Term(
        "state.coverage", "Variety kept", "", "share",
        "share of the behaviour's actions that have a chosen action near",
        "what the task would call a mode",
        "views.numbers.measure", HERE,
    ),
    Term(
        "state.modes", "Modes kept here", "", "",
        "modes of the data that at least 2% of the chosen actions are in",
        "what happens inside a mode",
        "views.numbers.measure", HERE,
    ),
    Term(
        "state.trusted", "Trusted queries", "", "share",
        "share of the places where the rule asked the critic at which its members agree and data are near, as on the data itself",
        "that members can agree and be wrong",
        "views.terrain.trust", HERE,
    ),
    Term(
        "state.usual_spread", "Usual spread", "", "task units",
        "what 95% of the data's own actions stay below: standard deviation of the critic's members",
        "nothing of the steered policy",
        "views.terrain.trust", HERE,
    ),
    # Numbers of a training's course.
    Term(
        "training.q", "Q", "Q", "task units", "mean value that a snapshot's critic gives to a policy's actions",
        "whose value it is: the critic learned that of its own policy",
        "views.training.moment", BEHAVIOUR,
    ),
    Term(
        "training.v", "V", "V", "task units", "mean value of the states by a snapshot's state value",
        "the same",
        "views.training.moment", BEHAVIOUR,
    ),
)  # fmt: skip

TERM: dict[str, Term] = {term.key: term for term in TERMS}


def term(key: str) -> Term:
    """The term of a number.

    Raises
    ------
    ValueError
        No such number in the glossary.
    """
    if key not in TERM:
        raise ValueError(f"'{key}' is no number of the glossary; it has {', '.join(TERM)}")
    return TERM[key]


def numbers_of(measured: dict[str, Any]) -> dict[str, Any]:
    """Every number of the glossary in what `Evaluation.as_dict` gives, in this order: a number, or a mean with its interval."""
    numbers = {}
    for term in TERMS:
        value: Any = measured
        for name in term.key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, (int, float)) or (isinstance(value, dict) and "mean" in value):
            numbers[term.key] = value
    return numbers
