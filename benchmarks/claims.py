"""What the pages say is faster, measured again: does each claim hold on this machine?

``python -m benchmarks claims [--only WORD]``. Both ways of a claim are taken in turn on one thread, and compared by processor
time, so that a busy machine meets both alike. A claim holds where the median of the ratios is above 1.
"""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from benchmarks.actions import parts
from benchmarks.timing import table, without_c
from benchmarks.together import trainers
from benchmarks.updates import trainer
from workbench.engine.allocator import keep_large_blocks
from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.rounded import with_rounded_weights
from workbench.engine.precision import fast_matmul, products
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.fast.gradients import WAIT
from workbench.engine.training.loop.together import TrainerGroup

Call = Callable[[], Any]
ROUNDS = 9
SMALL, LARGE, WIDE = (4, 2, (64, 64)), (29, 8, (512,) * 4), (29, 8, (1024,) * 4)
MIDDLE = (4, 2, (128, 128))
Sizes = tuple[int, int, tuple[int, ...]]


class Claim(NamedTuple):
    """``slow`` takes longer than ``fast``.

    Attributes
    ----------
    words : str
    make : callable
        ``make() -> (slow, fast)``, both warm.
    calls : int
        Of each, in a round.
    """

    words: str
    make: Callable[[], tuple[Call, Call]]
    calls: int


def warm(call: Call, times: int = 3) -> Call:
    for _ in range(times):
        call()
    return call


def updates(sizes: Sizes) -> tuple[Call, Call]:
    times = WAIT + 10 if sizes[2][0] < 200 else 1
    slow, fast = (trainer(*sizes[:2], hidden=sizes[2]) for _ in range(2))
    return warm(without_c(slow.step), times), warm(fast.step, times)


def rounded(sizes: Sizes) -> tuple[Call, Call]:
    """An update of bf16 products, and of fp32."""
    times = WAIT + 10 if sizes[2][0] < 200 else 1
    reduced, exact = (trainer(*sizes[:2], hidden=sizes[2], precision=p) for p in ("bf16", "highest"))
    return warm(reduced.step, times), warm(exact.step, times)


def actions(sizes: Sizes, states: int) -> tuple[Call, Call]:
    observation_dim, action_dim, _ = sizes
    observations = torch.randn(states, observation_dim, generator=torch.Generator().manual_seed(0))
    noise = draw_noise(states, 1, action_dim, torch.Generator().manual_seed(1))
    call = partial(act, make_rule("qgf", weight=0.3), parts(*sizes), observations, noise)
    return warm(without_c(call)), warm(call)


def halved(sizes: Sizes, states: int) -> tuple[Call, Call]:
    """An action of full fp32, and of weights rounded to bf16."""
    observation_dim, action_dim, _ = sizes
    observations = torch.randn(states, observation_dim, generator=torch.Generator().manual_seed(0))
    noise, exact = draw_noise(states, 1, action_dim, torch.Generator().manual_seed(1)), parts(*sizes)
    slow, fast = (
        partial(act, make_rule("qgf", weight=0.3), policy, observations, noise)
        for policy in (exact, with_rounded_weights(exact, "bf16"))
    )
    return warm(slow), warm(fast)


def passes(hidden: tuple[int, ...], members: int, rows: int) -> tuple[Call, Call]:
    """A forward pass of a critic, and back to its actions and its weights."""
    net = Mlp(MlpShape(37, 1, hidden, members=members), torch.Generator().manual_seed(0))
    x = torch.randn(members, rows, 37) if members > 1 else torch.randn(rows, 37)

    def call() -> None:
        with fast_matmul(rows, hidden[0], x.device):
            y, kept = net.run(x, keep=True)
            net.run_back(y, kept, weights=True, inputs=True)

    return warm(without_c(call)), warm(call)


def seeds() -> tuple[Call, Call]:
    alone, group = trainers("iql"), TrainerGroup(trainers("iql"))
    return warm(lambda: [one.step() for one in alone], WAIT + 10), warm(group.step, WAIT + 10)


def product(rows: int) -> tuple[Call, Call]:
    """One product of bf16 numbers, rounding included, and of fp32 numbers."""
    device, (a, b) = torch.device("cpu"), (torch.randn(rows, 512), torch.randn(512, 512))

    def reduced() -> None:
        with products("bf16", device):
            torch.mm(a, b)

    def exact() -> None:
        with fast_matmul(rows, 512, device):
            torch.mm(a, b)

    return warm(reduced), warm(exact)


def other_way(make: Callable[[], tuple[Call, Call]]) -> Callable[[], tuple[Call, Call]]:
    def made() -> tuple[Call, Call]:
        fast, slow = make()
        return slow, fast

    return made


# width, hidden layers, members K, rows M, calls in a round: about where the passes change their ways
FEW_ROWS = (
    (64, 2, 1, 8, 200),
    (512, 4, 1, 1, 50),
    (512, 4, 1, 8, 20),
    (512, 4, 1, 16, 20),
    (512, 4, 2, 16, 10),
    (512, 2, 10, 16, 5),
    (1024, 4, 1, 16, 5),
    (1024, 4, 1, 65, 3),
)
CLAIMS = (
    Claim("update 64×2: PyTorch's operations / passes in C, recorded", partial(updates, SMALL), 30),
    Claim("update 128×2: PyTorch's operations / passes in C, recorded", partial(updates, MIDDLE), 20),
    Claim("update 512×4: PyTorch's operations / passes in C", partial(updates, LARGE), 2),
    Claim("action 512×4, 1 state: PyTorch's operations / passes in C", partial(actions, LARGE, 1), 10),
    Claim("action 512×4, 256 states: PyTorch's operations / passes in C", partial(actions, LARGE, 256), 1),
    Claim("action 128×2, 1 state: PyTorch's operations / passes in C", partial(actions, MIDDLE, 1), 20),
    Claim("action 128×2, 256 states: PyTorch's operations / passes in C", partial(actions, MIDDLE, 256), 10),
    Claim("action 128×2, 1 state: fp32 / bf16 weights", partial(halved, MIDDLE, 1), 100),
    Claim("action 512×4, 1 state: fp32 / bf16 weights", partial(halved, LARGE, 1), 10),
    Claim("action 512×4, 4 states: fp32 / bf16 weights", partial(halved, LARGE, 4), 5),
    Claim("action 1024×4, 1 state: fp32 / bf16 weights", partial(halved, WIDE, 1), 2),
    *(
        Claim(
            f"gradients {width}×{layers}, K = {members}, M = {rows}: PyTorch's operations / passes in C",
            partial(passes, (width,) * layers, members, rows),
            calls,
        )
        for width, layers, members, rows, calls in FEW_ROWS
    ),
    Claim("five seeds of three_exits: in turn / at once", seeds, 10),
    Claim("product of 256 rows, 512×512: fp32 / bf16", other_way(partial(product, 256)), 20),
    Claim("product of one row, 512×512: bf16 / fp32", partial(product, 1), 200),
    Claim("update 64×2: bf16 / fp32", partial(rounded, SMALL), 20),
    Claim("update 1024×4, batch 256: fp32 / bf16", other_way(partial(rounded, WIDE)), 1),
)


def measured(claim: Claim) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of both ways, and their ratio, of each round."""
    ways = claim.make()
    times: list[tuple[float, ...]] = []
    for _ in range(ROUNDS):
        spent = []
        for call in ways:
            start = time.process_time()
            for _ in range(claim.calls):
                call()
            spent.append(1e3 * (time.process_time() - start) / claim.calls)
        times.append(tuple(spent))
    slow, fast = ([each[i] for each in times] for i in range(2))
    return slow, fast, [a / b for a, b in times]


def verdict(ratios: Sequence[float]) -> str:
    """Whether slow is slower than fast in the median round."""
    return "holds" if statistics.median(ratios) > 1.0 else "does not hold"


def run() -> None:
    parser = ArgumentParser(prog="python -m benchmarks claims", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="claims whose words have it")
    chosen = [claim for claim in CLAIMS if parser.parse_known_args()[0].only in claim.words]
    keep_large_blocks()
    torch.set_num_threads(1)
    lines = []
    for claim in chosen:
        slow, fast, ratios = measured(claim)
        spread = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        lines.append([claim.words, f"{min(slow):.3f}", f"{min(fast):.3f}", spread, verdict(ratios)])
        print(*lines[-1], sep="  ", flush=True)
    heads = ("slow / fast", "slow, ms", "fast, ms", "ratio", "claim")
    title = (
        f"CPU milliseconds of one thread, the lowest of {ROUNDS} rounds; the ratio's median, lowest and highest round"
    )
    table(title, heads, lines)
