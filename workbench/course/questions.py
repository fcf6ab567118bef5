"""The predictions that the lessons ask for: the question, its answers, and why it comes out as it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Question:
    """One prediction.

    Attributes
    ----------
    name : str
        ``lesson.word``.
    ask : str
    why : str
        Told when it is revealed.
    options : mapping of str to str
        Key to text; empty for a question about a number.
    unit : str
    factor : float
        A number within this factor of the measured one counts as right.
    near : float
        So does one that is no further from it than this.
    """

    name: str
    ask: str
    why: str
    options: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    factor: float = 2.0
    near: float = 0.0


_ALL = (
    Question(
        "first.push",
        "You push the actions harder and harder towards what the critic likes. What happens to the reward they really earn?",
        "Near the data the critic is right, and a push helps. Away from the data it guesses, and a hard push finds the places where "
        "it guesses too high.",
        {
            "rises": "It keeps rising",
            "hill": "It rises, then falls",
            "falls": "It falls from the start",
            "flat": "It rises, then stays where it is",
        },
    ),
    Question(
        "flows.steps",
        "A flow is followed in T straight steps. How many does it take until the distance between its samples and the data has "
        "fallen by 90% from what a single step leaves?",
        "The learned velocity bends mostly where the two lobes part. A few steps follow that bend well enough; this is why "
        "ten are plenty in practice.",
        unit="steps",
        factor=2.0,
    ),
    Question(
        "critics.far",
        "A critic learned from data in two lobes. Where is its mean error largest?",
        "No data corrects the network there: it goes on with the slope that it had at the edge of the data.",
        {
            "middle": "In the middle of the lobes",
            "edge": "At their edge",
            "off": "Away from both",
            "same": "About the same everywhere",
        },
    ),
    Question(
        "critics.loop",
        "Q is fitted round the loop, V is the largest Q among 20 random actions, and no episode can earn more than 1. After 1200 "
        "updates, what is the mean V?",
        "The maximum picks the action that Q overrates most. Nobody recorded that action, so no recorded step corrects it, and each "
        "round builds on the last.",
        {
            "less": "Below 0.5",
            "right": "Between 0.5 and 2",
            "more": "Above 2",
        },
    ),
    Question(
        "critics.expectile",
        "V is one number, fitted to the rewards of many actions with this loss. τ grows from 0.5 to 0.99: what does V do?",
        "At 0.5 it is the mean reward. With τ near 1 an answer that is too low costs far more than one that is too high, and V climbs "
        "towards the best reward in the data.",
        {
            "mean": "It stays at the mean",
            "best": "It climbs towards the best reward",
            "worst": "It falls to the worst reward",
        },
    ),
    Question(
        "qgf.noise",
        "Early in the flow (t = 0.1), you shake the particle a little. Whose gradient turns more?",
        "The noisy gradient is asked at the particle, so it moves with every shake, through places where the critic was never "
        "trained. At t = 0.1 QGF's guess hardly depends on the particle, so shaking moves it less.",
        {
            "noisy": "The noisy gradient, asked at the particle itself",
            "qgf": "QGF's gradient, asked at the one-step guess",
            "same": "Both about the same",
        },
    ),
    Question(
        "qgf.wide",
        "The same two lobes among 32 numbers, of which people used two. At the same displacement (0.1), which rule's actions earn more?",
        "Noise fills thirty numbers that the critic only knows near 0, and its gradient there comes from its first weights. At QGF's "
        "guess those numbers are near 0 again.",
        {
            "noisy": "The noisy gradient's",
            "qgf": "QGF's",
            "same": "No difference can be shown",
        },
    ),
    Question(
        "vgf.alone",
        "α = 0.1, and the repulsion is switched off. After 100 small steps, where are the 16 particles of a group?",
        "A particle then follows only its own and its neighbours' gradients, which lead up the hill on which it stands. What is lost "
        "is the spread on each hill; the two hills stay, since particles on the other hill are too far away to be heard.",
        {
            "one": "All on one of the two peaks",
            "nearest": "On both peaks, nearly each on the one that was nearer at the start",
            "spread": "Spread around the peaks as the target says",
        },
    ),
    Question(
        "vgf.alpha",
        "Adam, step size 0.1, a single transport step (L = 1). You lower α from 1 to 0.01, which makes the pull a hundred times "
        "stronger. How many times as far as before do the particles move?",
        "Adam divides every coordinate by its own size, so the first step is as long as the step size, whatever α is. Read the way "
        "from the particles, never from ε, L and α.",
        unit="times",
        factor=1.5,
    ),
    Question(
        "vgf.budgets",
        "VGF's critic is trained with L_train = 0, 1 or 3, and the policy then plays with L_test = 1 to 30. Which of the two "
        "changes the return more?",
        "L_test moves the actions that are played: too many steps, and they leave the roads that people drove. L_train reaches the "
        "return only through the critic, whose targets also hold ten recorded rewards and a mean over all particles.",
        {"train": "L_train", "test": "L_test", "same": "Both about as much"},
    ),
    Question(
        "shift.best",
        "On three exits, with which weight of QGF is the return highest: 0.03, 0.3, 3 or 30?",
        "The top of the hill lies at a small push: enough to prefer the main exit, not enough to leave the roads that people drove.",
        unit="",
        factor=2.0,
    ),
    Question(
        "shift.luck",
        "You try eight weights on 40 episodes each and report the best return. New episodes with that weight give on average…",
        "The best of several noisy numbers is partly luck, and luck does not come again.",
        {"same": "…the same", "less": "…less", "more": "…more"},
    ),
    Question(
        "real.clone",
        "The data are of a point that wanders through a maze to random goals. A behaviour policy is learned from them. In which share of its "
        "episodes does it reach our goal?",
        "It wanders as its data did. It has no reason to go to this goal rather than another; that is the critic's job.",
        unit="%",
        factor=1.5,
        near=10.0,
    ),
    Question(
        "own.rule",
        "A rule that follows the sign of the gradient instead of the gradient: compared with QGF at the same weight it moves…",
        "The sign has length √2 everywhere. The gradient is shorter than that nearly everywhere here, so at the same weight it pushes less. "
        "A sign pushes as hard where the critic hardly cares as where it cares much.",
        {"more": "…further", "less": "…less far", "same": "…as far"},
    ),
    Question(
        "brought.activation",
        "The networks were trained with ReLU, and are read as if they had GELU. What happens to what the policy earns?",
        "GELU dips below zero where ReLU is zero, in every unit of every layer. The weights were fitted to the one and not to the other; no "
        "array has another shape, so nothing can be refused.",
        {
            "refused": "The import is refused",
            "same": "Hardly anything: the two are nearly the same",
            "less": "It earns clearly less, and nobody complains",
        },
    ),
    Question(
        "language.fooled",
        "The sentences are pushed harder and harder towards what the proxy likes. What does the proxy promise in the end, and what does "
        "the judge pay?",
        "The proxy knows the words that were praised. It has seen no sentence in which they stand alone, and goes on praising them. The "
        "judge asks for a sentence as well.",
        {
            "both": "Both rise to the end",
            "fooled": "The promise stays high, the pay rises and then falls",
            "seen": "Both rise and then fall: the proxy notices",
            "nothing": "The promise rises, the pay hardly changes",
        },
    ),
    Question(
        "language.where",
        "From which weight on is less than half of the best pay left? The weights are 10, 30, 60, 120, 300, 1000 and 3000.",
        "There is a plateau: the decoder makes a word of whatever lies near one. Beyond it slots lie where no word is, and what is "
        "spelled there follows from nothing.",
        factor=3.5,
    ),
)
QUESTIONS: dict[str, Question] = {question.name: question for question in _ALL}
