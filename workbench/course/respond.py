"""The process that runs a participant's rule: it gets states and noise, and answers with actions. It knows nothing else.

Started by `workbench.course.player` as ``python respond.py``; what it reads and writes are frames of bytes on its own standard
input and output. No file of it, and no import before `confine`, is the participant's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

from workbench.engine.words import UserError

PRELUDE = "import math\n\nimport numpy as np\nimport torch\nimport workbench as wb\n\n"
HELLO = b"H"
ACTIONS = b"A"
FAULT = b"F"
TOLD = 1000  # characters of an error that are passed on


def main() -> None:
    """Confine this process, make the rule, and answer until the other side closes."""
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what the rule prints goes nowhere, however much it is
        os.dup2(nothing, stream)
    plan = json.loads(_frame(inward))
    try:
        _answer(plan, inward, outward)
    except BaseException as error:
        _send(outward, FAULT, f"{type(error).__name__}: {error}"[:TOLD].encode(errors="replace"))


def _answer(plan: dict[str, Any], inward: BinaryIO, outward: BinaryIO) -> None:
    from workbench.course.confine import NETWORK, confine, limit

    held = confine(plan["readable"])
    import torch

    from workbench.engine.steering.noise import Noise
    from workbench.engine.steering.run import act
    from workbench.engine.tasks.three_exits import ThreeExits
    from workbench.engine.training.loop.quick import quick_parts

    torch.set_num_threads(1)
    making = quick_parts(ThreeExits(), plan["seed"], Path(plan["parts"]))
    while True:
        try:
            next(making)
        except StopIteration as end:
            parts = end.value
            break
    torch.zeros(2, requires_grad=True).sum().backward()  # what torch starts late, before threads and memory are counted
    held += limit(plan["cpu_seconds"], plan["memory"], NETWORK in held)
    rule = _rule(plan)
    _send(outward, HELLO, json.dumps([held, rule.particles, rule.extra_draws(), rule.pick == "uniform"]).encode())
    while frame := _frame(inward):
        b, n, m = struct.unpack("<3I", frame[:12])
        numbers = torch.frombuffer(bytearray(frame[12:]), dtype=torch.float32)
        states, start, choice, extra = numbers.split([b * 4, b * n * 2, b * n, b * n * m * 2])
        noise = Noise(start.view(b, n, 2), choice.view(b, n), extra.view(b, n, m, 2) if m else None)
        actions = act(rule, parts, states.view(b, 4), noise).to(torch.float32).contiguous()
        if actions.shape != (b, 2):
            raise UserError(f"the rule gave actions of shape {tuple(actions.shape)}, wanted ({b}, 2)")
        _send(outward, ACTIONS, actions.numpy().tobytes())


def _rule(plan: dict[str, Any]) -> Any:
    from workbench.engine.settings import make
    from workbench.engine.steering.protocol import Rule
    from workbench.engine.steering.rules import make_rule

    if not plan["file"]:
        return make_rule(plan["rule"], **plan["settings"])
    spec = importlib.util.spec_from_file_location("submission", plan["file"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["submission"] = module
    try:
        spec.loader.exec_module(module)
    except NameError as error:
        raise UserError(
            f"{error}: put all that your rule uses (imports, functions, numbers) into its own cell"
        ) from None
    kind = getattr(module, plan["rule"], None)
    if not (isinstance(kind, type) and issubclass(kind, Rule)):
        raise UserError(f"there is no rule {plan['rule']} in what was handed in")
    return make(kind, plan["settings"], f"rule '{kind.name}'", f"setting '{{}}' of rule '{kind.name}'")


def _frame(inward: BinaryIO) -> bytes:
    head = inward.read(4)
    return inward.read(struct.unpack("<I", head)[0]) if len(head) == 4 else b""


def _send(outward: BinaryIO, kind: bytes, content: bytes) -> None:
    outward.write(kind + struct.pack("<I", len(content)) + content)
    outward.flush()


if __name__ == "__main__":
    main()
