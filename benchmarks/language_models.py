"""``python -m benchmarks language_models``: steering language models of Pythia's shapes on a GPU, weights drawn at random.

Four prompts of 400 tokens, eight responses of 48 tokens to each, 16 bits: what drawing, one VGF step, rounding and the whole of
20 steps take, and the peak of memory. Random weights cost what trained ones cost; what the responses say means nothing.
``--device cpu --quick`` runs the same code at tiny sizes, which says nothing about speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.gpu import Bench, asked_bench
from benchmarks.timing import table
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.language.hugging_face import from_transformers
from workbench.language.responses import LanguageModels

WORDS = 50304
PROMPTS, PARTICLES, STEPS = 4, 8, 20


@dataclass(frozen=True)
class Shape:
    """The widths of a GPT-NeoX model: numbers of a token, layers, heads."""

    name: str
    width: int
    layers: int
    heads: int

    def config(self, quick: bool) -> Any:
        from transformers import GPTNeoXConfig

        width, layers, heads, words = (16, 2, 2, 64) if quick else (self.width, self.layers, self.heads, WORDS)
        return GPTNeoXConfig(
            vocab_size=words,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_labels=1,
            pad_token_id=0,
            eos_token_id=0,
        )


SHAPES = (Shape("Pythia-160M", 768, 12, 12), Shape("Pythia-2.8B", 2560, 32, 32))


def models(shape: Shape, bench: Bench) -> LanguageModels:
    from transformers import GPTNeoXForCausalLM, GPTNeoXForSequenceClassification

    config = shape.config(bench.quick)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)  # made narrow at once: 32 bits of 2.8B twice would not fit
    try:
        with bench.device:
            policy, reward = GPTNeoXForCausalLM(config), GPTNeoXForSequenceClassification(config)
    finally:
        torch.set_default_dtype(before)
    return from_transformers(policy, reward, device=bench.device, rows=PARTICLES)


def measure(shape: Shape, bench: Bench) -> list[str]:
    made = models(shape, bench)
    length, tokens = (6, 3) if bench.quick else (400, 48)
    generator = torch.Generator().manual_seed(0)
    prompts = [torch.randint(len(made.table), (length,), generator=generator) for _ in range(PROMPTS)]
    ask = partial(made.ask, prompts, PARTICLES, tokens, 0)
    asked = ask()
    drawing = bench.timed(ask)

    def steer(steps: int) -> torch.Tensor:
        rule = make_rule("vgf", particles=PARTICLES, steps=steps, step_size=0.01, flow_steps=1)
        return act(rule, asked.parts, asked.observations, asked.noise)

    moved = steer(1)
    few, many = bench.timed(partial(steer, 1)), bench.timed(partial(steer, STEPS))
    rounding = bench.timed(partial(made.round, moved))
    peak = torch.cuda.max_memory_allocated() / 2**30 if bench.device.type == "cuda" else float("nan")
    step = (many - few) / (STEPS - 1)
    return [shape.name, f"{drawing:.2f}", f"{step:.3f}", f"{many:.2f}", f"{rounding:.3f}", f"{peak:.1f}"]


def run() -> None:
    bench = asked_bench("language_models")
    heads = ("shape", "drawing 32 responses, s", "a VGF step, s", f"{STEPS} steps, s", "rounding, s", "peak, GiB")
    table("Steering language models, 16 bits", heads, [measure(shape, bench) for shape in SHAPES])
