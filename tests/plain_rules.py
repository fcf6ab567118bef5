"""The rules that a test can run without training anything."""

from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES


def rules_without_parts() -> dict[str, type[Rule]]:
    """The rules that need no learned part beyond flow and critic."""
    return {name: rule for name, rule in RULES.items() if set(rule.needs) <= {"reference", "critic"}}
