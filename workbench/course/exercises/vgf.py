"""Lesson 5, VGF: the kernel, the direction of the transport, and Adam's first step."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Mistake

_generator = torch.Generator().manual_seed(4)


def _pairs(rows: int, apart: float) -> tuple[Tensor, Tensor]:
    """Rows x and y (M, 2), some ``apart``."""
    x = torch.randn(rows, 2, generator=_generator)
    return x, x + apart * torch.randn(rows, 2, generator=_generator)


def _cloud(count: int) -> tuple[Tensor, Tensor]:
    """A kernel (N, N) between the particles of a cloud and gradients (N, 2) at them."""
    x = torch.randn(count, 2, generator=_generator)
    return torch.exp(-torch.cdist(x, x).square() / 2.0), torch.randn(count, 2, generator=_generator)


# Widths at which σ, σ², 2σ², 1/2 and 2 all differ: at σ = 0.5 a forgotten square looks right.
KERNEL_PROBES = tuple((*_pairs(rows, sigma), sigma) for rows, sigma in ((6, 0.4), (5, 0.9), (4, 1.7)))
PULL_PROBES = tuple((*_cloud(count), alpha) for count, alpha in ((6, 0.4), (4, 3.0), (9, 0.07)))

EXERCISES = (
    Compared(
        name="vgf.kernel",
        ask="Write `kernel(x, y, sigma)` for rows `x`, `y` of shape (M, 2): exp(−‖x − y‖² / (2 σ²)), one number per row.",
        hints=(
            "First the squared distance of each pair of rows: square the differences, sum over dim 1.",
            "`torch.exp(-(x - y).square().sum(1) / (2 * sigma**2))`",
        ),
        well="1 for the same place, 0.61 at a distance of σ, nearly 0 at 3 σ: how much two particles listen to each other.",
        read=function("kernel(x, y, sigma)", *KERNEL_PROBES),
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
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square().mean(1) / (2 * s**2)),
                "You take the mean over the coordinates. The squared distance is their sum: `.sum(1)`.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square().sum(1) / s),
                "σ must be squared, and the 2 in 2σ² is missing.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-2 * (x - y).square().sum(1)),
                "σ does not count in yours: divide by 2σ², whatever σ is.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square().sum(1) / 2),
                "σ does not count in yours: divide by 2σ², not by 2.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square().sum(1) / 2 * s**2),
                "Python reads d² / 2 * σ² as (d² / 2) · σ². Put brackets around 2 * sigma**2.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-torch.cdist(x, y).square() / (2 * s**2)),
                "That is the kernel between all pairs, (M, M). Here row i of x meets row i of y only.",
            ),
            Mistake(
                lambda x, y, s: torch.exp(-(x - y).square().sum() / (2 * s**2)),
                "One number came back for all rows: sum over dim 1 only.",
            ),
        ),
        otherwise="Try x = y: the kernel must be 1. Try a distance of σ: it must be exp(−1/2) ≈ 0.61.",
    ),
    Compared(
        name="vgf.pull",
        ask="Write `pull(k, g, alpha)`, the first term of the direction. `k` (N, N) is the kernel between the particles, `g` "
        "(N, 2) are the critic's gradients at them. Each particle gets the mean over j of k_ij g_j, divided by alpha.",
        hints=(
            "The sum over j of k_ij g_j is a matrix product.",
            "`k @ g / (len(g) * alpha)`",
        ),
        well="Each particle follows not its own gradient but a weighted mean of its neighbours'.",
        read=function("pull(k, g, alpha)", *PULL_PROBES),
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
                lambda k, g, alpha: k @ g / (g.shape[1] * alpha),
                "You divided by the number of coordinates. The mean is over the N particles: len(g).",
            ),
            Mistake(
                lambda k, g, alpha: k @ g / (len(g) ** 2 * alpha),
                "You divided by N twice. A matrix product sums; one division by N makes it a mean.",
            ),
            Mistake(
                lambda k, g, alpha: k @ g / (k.sum(1, keepdim=True) * alpha),
                "You divided by the sum of the kernel. The formula divides by N, so a lonely particle is pulled less.",
            ),
            Mistake(
                lambda k, g, alpha: k @ g / len(g) / alpha**2,
                "Divide by α once: yours has α², or α was divided by twice.",
            ),
            Mistake(
                lambda k, g, alpha: g.mean(0).expand_as(g) / alpha,
                "All particles get the same mean. Near ones must count more: the kernel is missing.",
            ),
            Mistake(
                lambda k, g, alpha: (k @ g).mean(0) / alpha,
                "One direction for the whole cloud came back. Each particle has its own: divide by N, don't average the result.",
            ),
            Mistake(
                lambda k, g, alpha: k.mean() * g / alpha,
                "One number for the whole kernel scales each particle's own gradient. Sum k_ij g_j over j: a matrix product.",
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
            Mistake(
                1.5,
                "You divided one coordinate by the other. Adam divides each coordinate by its own past size.",
            ),
            Mistake(
                0.9375, "You divided by the sum of the coordinates. Adam works on each coordinate alone, then comes ε."
            ),
            Mistake(2.0, "That is the other coordinate of the direction. How far does the first one move?"),
        ),
        otherwise="At the first step Adam's quotient is g / √(g²): what is left of 30?",
    ),
)
