"""The authors' own code beside ours, timed in turn: ``python -m benchmarks peers --qgf DIR --vgf DIR --python PY``.

DIR is your checkout of the peer's repository, PY an interpreter that has what it needs (JAX, flax, distrax, optax,
ml_collections); nothing of them is part of this project. TorchRL is timed where PY, or the interpreter of the workbench, has it.
A peer gets one ready minibatch of random numbers again and again; ours draws one from its rows at every update, as in a training.
Ratios of processor time say more than those of the clock where other programs run beside.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from benchmarks.peer import Child, Peer, PeerError
from benchmarks.timing import table
from benchmarks.updates import random_data
from workbench.engine.models.parts import Parts
from workbench.engine.steering.compiled import compile_act
from workbench.engine.steering.graphs import Actor
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import make_config
from workbench.engine.training.fast.compiled import compiler_available
from workbench.engine.training.fast.graphs import UNROLL
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import counted

Seconds = Callable[[int], tuple[float, float]]  # of so many calls: on the clock, and of all processors together


class Work(NamedTuple):
    """One row: what both do, and what ours is to reach.

    Attributes
    ----------
    title : str
    peer : {"qgf", "vgf", "torchrl"}
    sizes : dict
        What `benchmarks.peer_child` takes.
    reach : str
        The speed to reach, as a multiple of the peer's.
    reference : str
        Of VGF: is our flow frozen, or trained together with the critic, as the peer's is?
    """

    title: str
    peer: str
    sizes: dict[str, Any]
    reach: str
    reference: str = ""


def sizes(kind: str, hidden: tuple[int, ...], **more: Any) -> dict[str, Any]:
    big = hidden[0] > 200
    task = {"observed": 29, "acted": 8} if big else {"observed": 4, "acted": 2}
    return {"kind": kind, "hidden": hidden, "batch": 256, "chunk": 1, "flow_steps": 10} | task | more


def vgf(transport_steps: int) -> dict[str, Any]:
    """As published: 5 flow steps; ours takes as many."""
    return sizes("update", (512,) * 4, flow_steps=5, particles=10, transport_steps=transport_steps)


LARGE, SMALL = (512,) * 4, (128,) * 2
ROWS = {
    "qgf-512": Work("QGF update, 512×4, batch 256", "qgf", sizes("update", LARGE), "1.25"),
    "qgf-128": Work("QGF update, 128×2, batch 256", "qgf", sizes("update", SMALL), "2"),
    "qgf-1024": Work(
        "QGF update, 1024×4, batch 1024, chunk 5",
        "qgf",
        sizes("update", (1024,) * 4, batch=1024, chunk=5, observed=28, acted=5),
        "1.25",
    ),
    "vgf-1-frozen": Work("VGF update, N = 10, L_train = 1; ours frozen", "vgf", vgf(1), "4", "frozen"),
    "vgf-1-joint": Work("VGF update, N = 10, L_train = 1; ours joint", "vgf", vgf(1), "1.75", "joint"),
    "vgf-5-frozen": Work("VGF update, N = 10, L_train = 5; ours frozen", "vgf", vgf(5), "2.5", "frozen"),
    "vgf-5-joint": Work("VGF update, N = 10, L_train = 5; ours joint", "vgf", vgf(5), "1.75", "joint"),
    "act-512-1": Work("QGF act, 512×4, 1 state", "qgf", sizes("act", LARGE, batch=1), "1.67"),
    "act-512-256": Work("QGF act, 512×4, 256 states", "qgf", sizes("act", LARGE), "1.33"),
    "act-128-1": Work("QGF act, 128×2, 1 state", "qgf", sizes("act", SMALL, batch=1), "1.25"),
    "act-128-256": Work("QGF act, 128×2, 256 states", "qgf", sizes("act", SMALL), "1.25"),
    "torchrl-512": Work("IQL with an actor (torchrl), QGF (ours), 512×4", "torchrl", sizes("update", LARGE), ""),
    "torchrl-128": Work("IQL with an actor (torchrl), QGF (ours), 128×2", "torchrl", sizes("update", SMALL), ""),
}


def ours(work: Work, compiled: bool, device: torch.device) -> Seconds:
    """The same work by the workbench, ready to be timed."""
    size = work.sizes
    many = _act(size, compiled, device) if size["kind"] == "act" else _update(work, compiled, device)
    many(1)  # the first one compiles, or is recorded
    return partial(_timed, many, device)


def _update(work: Work, compiled: bool, device: torch.device) -> Callable[[int], None]:
    size = work.sizes
    settings: dict[str, Any] = {"hidden": size["hidden"], "batch_size": size["batch"], "chunk": size["chunk"]}
    settings |= {"flow_steps": size["flow_steps"], "compile": compiled, "steps": 10**9}
    if work.peer == "vgf":
        settings |= {"critic": "td_vgf", "family": "vgf", "reference": work.reference, "reference_steps": 1}
        settings |= {"particles": size["particles"], "transport_steps": size["transport_steps"]}
    trainer = Trainer(random_data(size["observed"], size["acted"]), make_config(**settings), device)
    if work.reference == "frozen":
        trainer.step()  # the flow's one update

    def many(count: int) -> None:
        end = trainer.step_number + count
        while trainer.step_number < end:
            trainer.step(end - trainer.step_number)

    many(UNROLL)
    return many


def _act(size: dict[str, Any], compiled: bool, device: torch.device) -> Callable[[int], None]:
    config = make_config(hidden=size["hidden"])
    networks = build_networks(config, size["observed"], size["acted"]).to(device)
    parts: Parts = networks.parts(config, ("reference", "critic", "target_critic"))
    rule = make_rule("qgf", weight=0.3)
    generator = torch.Generator(device).manual_seed(0)
    observations = torch.randn(size["batch"], size["observed"], generator=generator, device=device)
    noise = draw_noise(size["batch"], 1, size["acted"], generator)
    actor = compile_act(rule, parts) if compiled else Actor(rule, parts)

    def many(count: int) -> None:
        for _ in range(count):
            actor(observations, noise)

    return many


def _timed(many: Callable[[int], None], device: torch.device, count: int) -> tuple[float, float]:
    start, spent = time.perf_counter(), time.process_time()
    many(count)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - spent


def in_turn(ways: list[Seconds], turns: int, at_least: float) -> list[list[tuple[float, float]]]:
    """Seconds a call of each way at each turn, ``at_least`` seconds of calls at a time."""
    counts = [max(1, round(at_least / max(way(2)[0] / 2, 1e-6))) for way in ways]
    found: list[list[tuple[float, float]]] = [[] for _ in ways]
    for turn in range(turns):
        order = range(len(ways)) if turn % 2 == 0 else reversed(range(len(ways)))
        for i in order:
            wall, cpu = ways[i](counts[i])
            found[i].append((wall / counts[i], cpu / counts[i]))
    return found


def peers(options: Any) -> dict[str, Peer]:
    """Who is here to be timed against."""
    found = {}
    for name in ("qgf", "vgf"):
        folder = vars(options)[name]
        if folder is not None:
            if not os.path.isfile(os.path.join(folder, "agents", f"{name}.py")):
                raise SystemExit(f"--{name} takes the authors' checkout; there is no agents/{name}.py in {folder}")
            found[name] = Peer(name, options.python, os.path.abspath(folder))
    for python in dict.fromkeys((options.python, sys.executable)) if options.device == "cpu" else ():
        if python == sys.executable:
            has = importlib.util.find_spec("torchrl") is not None
        else:
            has = subprocess.run([python, "-c", "import torchrl"], capture_output=True).returncode == 0
        if has and "torchrl" not in found:
            found["torchrl"] = Peer("torchrl", python)
    return found


def row(name: str, peer: Peer, options: Any) -> tuple[list[str], str]:
    """One line of the table, and what the peer runs on."""
    work = ROWS[name]
    device = torch.device(options.device)
    ways = {"eager": ours(work, False, device)}
    if options.compiled and compiler_available():
        ways["compiled"] = ours(work, True, device)
    child = Child(peer, work.sizes)
    try:
        theirs, *mine = in_turn([child.seconds, *ways.values()], options.turns, options.seconds)
    finally:
        child.close()
    unit = (lambda s: f"{1e3 * s:.2f} ms") if work.sizes["kind"] == "act" else (lambda s: f"{1 / s:.1f} /s")
    line = [work.title, unit(statistics.median(wall for wall, _ in theirs))]
    for seconds in mine:
        ratios, by_cpu = ([other[i] / own[i] for other, own in zip(theirs, seconds, strict=True)] for i in (0, 1))
        spread = f"{statistics.median(ratios):.2f}× [{min(ratios):.2f}, {max(ratios):.2f}]"
        line += [unit(statistics.median(wall for wall, _ in seconds)), spread, f"{statistics.median(by_cpu):.2f}×"]
    line += [""] * (3 * (2 - len(mine)))
    return [*line, work.reach and f"{work.reach}×"], child.about


def run() -> None:
    parser = ArgumentParser(prog="python -m benchmarks peers", description=__doc__)
    parser.add_argument("--qgf", metavar="DIR", help="the QGF authors' checkout")
    parser.add_argument("--vgf", metavar="DIR", help="the VGF authors' checkout")
    parser.add_argument("--python", metavar="PY", default=sys.executable, help="the interpreter that has JAX")
    parser.add_argument(
        "--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=", ".join(ROWS)
    )
    parser.add_argument("--turns", type=int, default=5, help="alternations")
    parser.add_argument("--seconds", type=float, default=1.0, help="of calls at each turn, at least")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="where ours computes; JAX takes a GPU where it finds one",
    )
    parser.add_argument("--compiled", action="store_true", help="time our compiled code too")
    options = parser.parse_known_args()[0]
    found, lines, about, left = peers(options), [], {}, []
    for name in options.rows:
        who = ROWS[name].peer
        if who not in found:
            left.append(name)
            continue
        try:
            line, about[who] = row(name, found[who], options)
            lines.append(line)
            print(*line, sep="  ", file=sys.stderr, flush=True)  # a sitting may be cut short
        except PeerError as error:
            left.append(f"{name} ({error})")
    cores = counted(len(os.sched_getaffinity(0)), "core")
    threads = f"torch on {counted(torch.get_num_threads(), 'thread')}, JAX on {cores}"
    ours_heads = ("times theirs [least, most]", "by CPU time")
    heads = ("work", "theirs", "ours", *ours_heads, "compiled", *ours_heads, "to reach")
    versions = "; ".join(f"{who}: {words}" for who, words in about.items())
    where = threads if options.device == "cpu" else f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    title = f"The peers' code and ours in turn, medians of {options.turns} turns ({where}; {versions or 'no peer'})"
    table(title, heads, lines)
    if left:
        print("  not timed: " + ", ".join(left) + "\n")
    if not found:
        raise SystemExit("no peer to time: --qgf DIR and --vgf DIR take checkouts of theirs, --python PY their Python")
