"""The other half of the glossary: words that are no numbers, and words that are not used any more."""

from __future__ import annotations

# Words that are no numbers, and the words that they replace.
WORDS: dict[str, str] = {
    "strength": "what you set: the one setting of a rule that says how hard it steers (weight w, steps L, N of best-of-N)",
    "transport budget": "the idea that a policy may be carried only so far from the data; never the name of a number. "
    "What you set is the strength, what is measured is transport and shift",
    "behaviour policy": "μ: the policy that made the data, as the behaviour flow has learned it",
    "steered policy": "π: what a rule makes of the behaviour policy",
    "target": "π*(a|s) ∝ μ(a|s) exp(Q(s, a) / β), the policy that steering aims at; w = 1/β",
    "behaviour states": "a fixed sample of the states that the behaviour policy visits: rows of the dataset, or of episodes of "
    "the behaviour flow where there is none; the same for every rule",
    "rule": "how a critic's push enters: one file in steering/rules, with its settings",
    "critic": "Q(s, a), learned from the dataset; its loss is named apart from the rule (critic IQL, rule IQL)",
    "critic loss": "``critic`` is the mean over batch and members; ``critic_sum``, of TD through the value gradient flow, the "
    "sum over members, as published: compare a loss with itself only",
    "rule IQL, critic IQL": "the critic's loss (``--critic iql``) and the actor that is trained beside it by advantage-weighted "
    "imitation (``--rule iql``): either goes without the other",
    "learned part": "a network beyond flow and critic that a rule needs, trained with --rule or when it is chosen on a page",
    "particle": "one action that is moved; a rule moves N of them for each state and picks one",
    "pick": "how one of the N particles becomes the action: greedy (largest Q), softmax, or uniform",
    "chunk": "h actions of the environment in a row, decided at once and played one after the other",
    "latency": "environment steps d between what a decision saw and the first action that it gives; what is played meanwhile is "
    "the old chunk's rest (real-time chunking, naive) or zeros (pause)",
    "floor": "what a distance between finite samples reads by chance; its square is taken off before the root",
    "choosing episodes": "those on which a strength is chosen; never those on which it is reported",
    "reporting episodes": "those on which it is reported",
    "training seed": "fixes data, weights and minibatches of a training",
    "evaluation seed": "fixes starts and noise of the episodes; two rules with the same seed meet the same ones",
}

# Labels of earlier versions, and what they are called now: a test finds them on pages, in files, docs and lessons.
RETIRED: dict[str, str] = {
    "Q-estimate": "promised",
    "Q estimate": "promised",
    "q_estimate": "promised",
    "q_gap": "gap",
    "over-optimisation gap": "gap",
    "measured budget": "transport",
    "budget used": "transport",
    "shift W2": "shift",
    "Shift W2": "shift",
    "In support": "support",
    "further part": "learned part",
    "nominal budget": "strength",
}
