"""Which device pays: decided from the size of the work, before any of it is done.

A GPU multiplies a hundred times faster than a processor, and loses on small work: it takes seconds to start, and each of its
kernels costs a microsecond whatever it computes. So the time on either is estimated from three sizes of the work: how
often it calls, how many tensor operations a call has, and how many multiply-adds.

    seconds = start + calls · (operations · each + multiply-adds · 2 / rate)

The constants below are rounded from measurements; an estimate is good to a factor of two, and the GPU is taken only where it
wins by more than that. The same work on the same machine is always decided alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Kind = Literal["cpu", "cuda"]

CPU_OPERATION = 6e-6  # seconds of one small tensor operation, the cost of the call
CPU_CORE = 100e9  # fp32 operations a second of one core's matrix products
CUDA_START = 5.0  # seconds until a process has its first result: driver, libraries, recordings
CUDA_KERNEL = 0.6e-6  # seconds of one operation inside a recording, several of which run side by side or as one kernel
CUDA_LAUNCH = 25e-6  # the same, launched alone: what cannot be recorded
CUDA_SHARE = 0.5  # of the card's fp32 peak that products of these sizes reach
CLEARLY = 2.0  # how many times faster the GPU must be by the estimate
LANES = 128  # fp32 lanes of one multiprocessor, of all cards since 2018 that computing uses


@dataclass(frozen=True)
class Work:
    """How much is to be done.

    Attributes
    ----------
    what : str
        In words, such as "4000 updates".
    calls : int
        Updates, or decisions at many states.
    operations : int
        Tensor operations of one call.
    products : float
        Multiply-adds of one call.
    recorded : bool
        A GPU can launch a call as a recording (`workbench.engine.graphs`).
    """

    what: str
    calls: int
    operations: int
    products: float
    recorded: bool = True


@dataclass(frozen=True)
class Machine:
    """What there is to compute with.

    Attributes
    ----------
    cores : int
        Threads that torch computes on.
    gpu : str
        Name of the CUDA device; "" where there is none.
    peak : float
        Its fp32 operations a second.
    """

    cores: int
    gpu: str = ""
    peak: float = 0.0


@dataclass(frozen=True)
class Choice:
    """A decision and its reason.

    Attributes
    ----------
    device : {"cpu", "cuda"}
    cpu_seconds : float
        Estimated.
    cuda_seconds : float or None
        Estimated; None without a GPU.
    why : str
    """

    device: Kind
    cpu_seconds: float
    cuda_seconds: float | None
    why: str


def this_machine() -> Machine:
    """What torch finds here."""
    if not torch.cuda.is_available():
        return Machine(torch.get_num_threads())
    card = torch.cuda.get_device_properties(torch.cuda.current_device())
    hertz = 1e3 * card.clock_rate
    return Machine(torch.get_num_threads(), card.name, 2.0 * LANES * card.multi_processor_count * hertz)


def seconds_on_cpu(work: Work, machine: Machine) -> float:
    """Estimated time of ``work`` on the processor."""
    return work.calls * (work.operations * CPU_OPERATION + 2.0 * work.products / (CPU_CORE * machine.cores))


def seconds_on_cuda(work: Work, machine: Machine) -> float:
    """Estimated time of ``work`` on the GPU, its start included."""
    each = CUDA_KERNEL if work.recorded else CUDA_LAUNCH
    call = work.operations * each + 2.0 * work.products / (CUDA_SHARE * machine.peak)
    return CUDA_START + work.calls * call


def choose(work: Work, machine: Machine) -> Choice:
    """The device on which ``work`` ends first, as far as can be told from its size."""
    cpu = seconds_on_cpu(work, machine)
    if not machine.gpu:
        return Choice("cpu", cpu, None, f"{work.what}: about {_rounded(cpu)} on the CPU; there is no CUDA device here")
    cuda = seconds_on_cuda(work, machine)
    device: Kind = "cuda" if cuda * CLEARLY < cpu else "cpu"
    times = f"about {_rounded(cpu)} on the CPU, {_rounded(cuda)} on {machine.gpu} ({CUDA_START:g} s of it to start)"
    reason = "" if device == "cuda" or cuda >= cpu else f"; CUDA is taken when it is {CLEARLY:g} times faster"
    return Choice(device, cpu, cuda, f"{work.what}: {times}{reason}")


def _rounded(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds / 60:.0f} min"
