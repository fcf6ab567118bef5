"""A whole decision as one call into C: on small networks nearly all of its time was the way to each of the passes."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from workbench.engine.models.native.build import library
from workbench.engine.models.native.operations import passes_of


class _Decision(ctypes.Structure):
    _fields_ = (
        ("flow", ctypes.c_void_p),
        ("critic", ctypes.c_void_p),
        ("flow_theta", ctypes.c_void_p),
        ("critic_theta", ctypes.c_void_p),
        ("flow_half", ctypes.c_void_p),
        ("critic_half", ctypes.c_void_p),
        ("states", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        ("rows", ctypes.c_long),
        ("particles", ctypes.c_long),
        ("observed", ctypes.c_int),
        ("acted", ctypes.c_int),
        ("embedded", ctypes.c_int),
        ("steps", ctypes.c_int),
        ("lowest", ctypes.c_int),
        ("threads", ctypes.c_int),
        ("weight", ctypes.c_double),
    )


class Net(NamedTuple):
    """A network: the number of its passes, its weights (P,), and where it has them the same as bf16 numbers."""

    number: int
    theta: Tensor
    half: Tensor | None


class Pull(NamedTuple):
    """The critic that pulls, how hard, and by its lowest member or by their mean."""

    net: Net
    weight: float
    lowest: bool


def run_decision(flow: Net, states: Tensor, start: Tensor, times: Tensor, pull: Pull | None) -> tuple[Tensor, Tensor]:
    """Take particles from noise to actions by T equal steps.

    Parameters
    ----------
    flow : Net
        The velocity network.
    states : Tensor
        (B, S), normalised.
    start : Tensor
        (B, N, D).
    times : Tensor
        (T, E), the embedding of each step's time.
    pull : Pull, optional
        Without it no critic is asked.

    Returns
    -------
    (Tensor, Tensor)
        Particles (B, N, D), in [-1, 1], and one number () that is NaN or infinite as soon as one on the way was.
    """
    found = library()
    assert found is not None
    actions = start.clone(memory_format=torch.contiguous_format)
    states, times = states.contiguous(), times.contiguous()
    b, n, d = actions.shape
    of = _Decision(
        passes_of(flow.number).where,
        None if pull is None else passes_of(pull.net.number).where,
        flow.theta.data_ptr(),
        None if pull is None else pull.net.theta.data_ptr(),
        None if flow.half is None else flow.half.data_ptr(),
        None if pull is None or pull.net.half is None else pull.net.half.data_ptr(),
        states.data_ptr(),
        times.data_ptr(),
        b * n,
        n,
        states.shape[1],
        d,
        times.shape[1],
        times.shape[0],
        pull is not None and pull.lowest,
        torch.get_num_threads(),
        0.0 if pull is None else pull.weight,
    )
    where = ctypes.addressof(of)
    scratch, total = torch.empty(found.decision_scratch(where)), torch.empty((), dtype=torch.float64)
    found.decide(
        where, actions.data_ptr(), total.data_ptr(), scratch.data_ptr()
    )  # all its own: other threads decide too
    return actions, total
