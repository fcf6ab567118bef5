"""Lesson 5, VGF: the kernel, the direction of the transport, and Adam's first step."""

from __future__ import annotations

import torch

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Mistake

_generator = torch.Generator().manual_seed(4)
X, Y = torch.randn(6, 2, generator=_generator), torch.randn(6, 2, generator=_generator)
GRADIENTS = torch.randn(6, 2, generator=_generator)
KERNEL = torch.rand(6, 6, generator=_generator)
KERNEL = 0.5 * (KERNEL + KERNEL.mT)

EXERCISES = (
    Compared(
        name="vgf.kernel",
        ask="Write `kernel(x, y, sigma)` for rows `x`, `y` of shape (M, 2): exp(−‖x − y‖² / (2 σ²)), one number per row.",
        hints=(
            "First the squared distance of each pair of rows: square the differences, sum over dim 1.",
            "`torch.exp(-(x - y).square().sum(1) / (2 * sigma**2))`",
        ),
        well="1 for the same place, 0.61 at a distance of σ, nearly 0 at 3 σ: how much two particles listen to each other.",
        read=function("kernel(x, y, sigma)", (X, Y, 0.5), (X, X, 1.5)),
        right=lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (2 * s**2)),
        mistakes=(
            Mistake(lambda x, y, s: torch.exp(-(x - y).norm(dim=1) / (2 * s**2)), "The distance must be squared."),
            Mistake(lambda x, y, s: torch.exp(-(x - y).square().sum(1) / s**2), "The 2 in 2σ² is missing."),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square().sum(1) / (2 * s)),
                "σ must be squared, so that the exponent has no unit.",
            ),
            Mistake(
                lambda x, y, s: torch.exp((x - y).square().sum(1) / (2 * s**2)),
                "The minus is missing: yours grows with distance.",
            ),
            Mistake(
                lambda x, y, s: -(x - y).square().sum(1) / (2 * s**2), "This is the exponent. Put it into torch.exp."
            ),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square() / (2 * s**2)),
                "One number per coordinate came back: sum the squares over dim 1 first.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).sum(1).square() / (2 * s**2)),
                "Square first, then sum: differences of both signs cancel in your sum.",
            ),
        ),
        otherwise="Try x = y: the kernel must be 1. Try a distance of σ: it must be exp(−1/2) ≈ 0.61.",
    ),
    Compared(
        name="vgf.pull",
        ask="Write `pull(k, g, alpha)`: the value part of VGF's direction. `k` (N, N) is the kernel between the particles, `g` "
        "(N, 2) are the critic's gradients at them. Each particle gets the mean over j of k_ij g_j, divided by alpha.",
        hints=(
            "The sum over j of k_ij g_j is a matrix product.",
            "`k @ g / (len(g) * alpha)`",
        ),
        well="Each particle follows not its own gradient but a weighted mean of its neighbours'.",
        read=function("pull(k, g, alpha)", (KERNEL, GRADIENTS, 0.5)),
        right=lambda k, g, alpha: k @ g / (len(g) * alpha),
        mistakes=(
            Mistake(lambda k, g, alpha: k @ g / alpha, "The mean over j is missing: divide by N = len(g)."),
            Mistake(lambda k, g, alpha: k @ g / len(g), "α is missing: a small α must strengthen the value's pull."),
            Mistake(lambda k, g, alpha: k @ g * alpha / len(g), "Divide by α. A larger temperature weakens the pull."),
            Mistake(
                lambda k, g, alpha: g / alpha,
                "That is each particle's own gradient. The kernel shares it with the neighbours.",
            ),
            Mistake(
                lambda k, g, alpha: k.mean(1, keepdim=True) * g / alpha,
                "You scale each particle's own gradient. Sum over the other particles' gradients: a matrix product.",
            ),
            Mistake(
                lambda k, g, alpha: -k @ g / (len(g) * alpha), "The sign is turned: particles should move up the value."
            ),
        ),
        otherwise="(1/N) Σ_j k_ij g_j / α: a matrix product, then two divisions.",
    ),
    Compared(
        name="vgf.adam",
        ask="Adam with fresh moments and step size ε = 0.1 takes its first step along a direction whose two coordinates are 30 and "
        "2. How far does the first coordinate move?",
        hints=(
            "Adam divides the mean of the gradients by the root of the mean of their squares. At the first step both hold one value.",
            "30 / √(30²) = 1.",
        ),
        well="ε, whatever the direction's length. So α, which scales the direction, does nothing at L = 1: Adam's trap.",
        read=number("action units"),
        right=0.1,
        mistakes=(
            Mistake(3.0, "ε times the gradient is the plain step. Adam divides by the gradient's own size first."),
            Mistake(
                30.0,
                "That is the direction itself. Adam makes it one unit long in every coordinate, then multiplies by ε.",
            ),
            Mistake(0.01, "The factor 1 − β1 = 0.1 is undone by Adam's bias correction at the first step."),
            Mistake(1.0, "That is the direction after Adam's division. Multiply by ε."),
            Mistake(
                0.0998,
                "You divided by the direction's length over both coordinates. Adam works on each coordinate alone.",
            ),
            Mistake(0.316, "The bias corrections 1 − β1 and 1 − β2 are missing. With them the quotient is exactly 1."),
            Mistake(-0.1, "VGF climbs: it moves along the direction, not against it."),
        ),
        otherwise="At the first step Adam's quotient is g / √(g²): what is left of 30?",
    ),
)
