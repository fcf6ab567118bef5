"""What a page says while the policy that it shows is made ready: words, progress and a button."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.training.plan import extra_parts
from workbench.ui.server.parts_cache import Cache, Status


class Words(NamedTuple):
    """The arguments of a notice: ``notice.say(*words)``."""

    kind: str
    text: str
    progress: float | None = None
    button: str = ""


class Awaited:
    """The policy of one page: asks the cache for what the page's rules need.

    Parameters
    ----------
    cache : Cache
    again : callable
        Asks again: called when the notice's button was pressed.
    """

    def __init__(self, cache: Cache, again: Callable[[], None]) -> None:
        self._cache, self._again = cache, again
        self._asked: tuple[str, Status] = ("", Status())

    def ask(self, task: str, rules: Sequence[str]) -> tuple[Parts | None, Words]:
        """The parts when ``rules`` can run with them, else None and what to say meanwhile."""
        needs = tuple(dict.fromkeys(need for rule in rules for need in RULES[rule].needs))
        status = self._cache.ready(task, needs, self)
        self._asked = (task, status)
        if status.parts is not None:
            return status.parts, Words("", "")
        if not status.part:
            if status.error:
                return None, Words("error", f"The policy could not be made ready. {status.error}", None, "Try again")
            return None, Words("loading", f"Training the built-in task… {status.progress:.0%}", status.progress)
        who = next(RULES[rule].title for rule in rules if status.part in RULES[rule].needs)
        what = f"{who} needs ({status.part.replace('_', ' ')})"
        if status.error:
            return None, Words("error", f"What {what} could not be trained. {status.error}", None, "Try again")
        if status.stopped:
            words = f"The training of what {what} was cancelled. Train it, or choose another rule."
            return None, Words("hint", words, None, "Train it")
        if status.waits:
            words = f"What {what} is trained when it is its turn: something else is being trained on this server."
            return None, Words("loading", words, 0.0, "Cancel")
        left = "" if math.isnan(status.left) else f"{math.ceil(status.left)} s left, "
        return None, Words("loading", f"Training what {what}: {left}{status.progress:.0%}", status.progress, "Cancel")

    def pressed(self) -> None:
        """The notice's button: cancel what runs, try again what failed or was cancelled."""
        task, status = self._asked
        if status.part and not status.error and not status.stopped:
            self._cache.cancel(task, status.part, self)
        else:
            self._cache.retry(task, status.part, self)
        self._again()


def slow_parts(parts: Parts) -> dict[str, str]:
    """The rules that train a part of their own first, and which; by rule name."""
    have = parts.available()
    missing = {name: [need for need in extra_parts(rule.needs) if need not in have] for name, rule in RULES.items()}
    return {name: ", ".join(names).replace("_", " ") for name, names in missing.items() if names}


def stale(rules: Sequence[str]) -> str:
    """What to say of rules whose parts learned before the reward's peak was moved; "" when there is nothing."""
    learned = [RULES[rule].title for rule in dict.fromkeys(rules) if extra_parts(RULES[rule].needs)]
    if not learned:
        return ""
    return f"The peak has moved since {' and '.join(learned)} learned: what was trained still aims at the old place."
