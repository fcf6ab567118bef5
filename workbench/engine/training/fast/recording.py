"""Recording the tensor operations of a function once, to repeat them without the cost of `vmap` and autograd.

On small networks `torch.func.vmap` and autograd spend more time on deciding which operations to do than these take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from workbench.engine.models.native.operations import DIRECTLY, recorded_whole


def record(function: Callable[..., Any], *example: Any) -> Callable[..., Any]:
    """Run ``function`` once on ``example`` and return what repeats its operations on tensors of the same shapes.

    The function must be pure in its arguments, up to tensors outside that are changed in place: these it reads anew at
    every call.
    """
    with recorded_whole():
        graph = make_fx(lambda *args: function(*args))(*example)
    _fold(graph)
    for node in graph.graph.nodes:
        node.target = DIRECTLY.get(node.target, node.target)
    graph.recompile()
    return graph


def _fold(graph: fx.GraphModule) -> None:
    """Do once what does not depend on the arguments: views of outside tensors, and constants that nobody writes to."""
    known: dict[fx.Node, Any] = {}
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            known[node] = getattr(graph, node.target)
        elif node.op == "call_function" and _depends_on_nothing(node, known) and _may_fold(node):
            args, kwargs = fx.map_arg((node.args, node.kwargs), lambda other: known[other])
            known[node] = node.target(*args, **kwargs)
    for number, (node, value) in enumerate(known.items()):
        if node.op == "get_attr" or not isinstance(value, Tensor):
            continue
        name = f"folded_{number}"
        graph.register_buffer(name, value, persistent=False)
        with graph.graph.inserting_before(node):
            node.replace_all_uses_with(graph.graph.get_attr(name))
    graph.graph.eliminate_dead_code()


def _depends_on_nothing(node: fx.Node, known: dict[fx.Node, Any]) -> bool:
    return all(other in known for other in node.all_input_nodes)


def _may_fold(node: fx.Node) -> bool:
    """A view, or a constant that is only read."""
    if not isinstance(node.target, torch._ops.OpOverload):  # picks from a tuple
        return True
    if node.all_input_nodes:
        return node.target.is_view or node.target in (torch.ops.aten.split_with_sizes.default,)
    return all(
        isinstance(user.target, torch._ops.OpOverload)
        and not user.target._schema.is_mutable
        and not user.target.is_view
        for user in node.users
    )
