"""A protocol of two methods on toys, as a user would write it: a suite that runs in seconds."""

METHODS = """
[[methods]]
label = "flow"
rule = "bc"

[[methods]]
label = "QGF"
rule = "qgf"
strengths = [0.1, 1]
cost = 2.0
"""
TASKS = {
    "plane": """
[[tasks]]
label = "plane"
task = "bandit2d"
training = { steps = 20, hidden = [8, 8] }
times = { training = 3.0, job = 0.5 }
""",
    "line": """
[[tasks]]
label = "line"
task = "bandit1d"
low = -1.0
training = { steps = 20, hidden = [8, 8] }
strengths = { QGF = [0.5] }
times = { training = 1.0, job = 0.25, generate = 7.0 }
""",
}


def tiny_suite(tasks: tuple[str, ...] = tuple(TASKS), seeds: tuple[int, ...] = (0, 1)) -> str:
    """The protocol's TOML."""
    head = (
        'title = "Tiny"',
        'summary = "As small as it gets."',
        f"seeds = {list(seeds)}",
        "episodes = 4",
        'reference = "flow"',
    )
    return "\n".join((*head, METHODS, *(TASKS[name] for name in tasks)))
