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
    _spare(graph)
    _fold(graph)
    for node in graph.graph.nodes:
        node.target = DIRECTLY.get(node.target, node.target)
    graph.recompile()
    return graph


def _spare(graph: fx.GraphModule) -> None:
    """Leave out what returns its input, and make ones from a size alone, so that what follows of them is done once."""
    for node in graph.graph.nodes:
        first_power = node.target is torch.ops.aten.pow.Tensor_Scalar and node.args[1] == 1.0
        if (first_power or node.target is torch.ops.aten.detach.default) and _is_only_read(node):
            node.replace_all_uses_with(node.args[0])
        elif node.target is torch.ops.aten.ones_like.default:
            like = node.meta["val"]
            with graph.graph.inserting_before(node):
                ones = graph.graph.call_function(
                    torch.ops.aten.ones.default, (list(like.shape),), {"dtype": like.dtype, "device": like.device}
                )
            node.replace_all_uses_with(ones)
    graph.graph.eliminate_dead_code()


def _fold(graph: fx.GraphModule) -> None:
    """Do once what does not depend on the arguments: views of outside tensors, and constants that nobody writes to."""
    known: dict[fx.Node, Any] = {}
    constant: set[fx.Node] = set()  # of those that are known: what nobody ever changes
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            known[node] = getattr(graph, node.target)
        elif node.op == "call_function" and all(other in known for other in node.all_input_nodes):
            stays = all(other in constant for other in node.all_input_nodes) and _is_pure(node) and _is_only_read(node)
            if not stays and not _is_view(node):
                continue
            args, kwargs = fx.map_arg((node.args, node.kwargs), lambda other: known[other])
            known[node] = node.target(*args, **kwargs)
            if stays:
                constant.add(node)
    for number, (node, value) in enumerate(known.items()):
        if node.op == "get_attr" or not isinstance(value, Tensor):
            continue
        name = f"folded_{number}"
        graph.register_buffer(name, value, persistent=False)
        with graph.graph.inserting_before(node):
            node.replace_all_uses_with(graph.graph.get_attr(name))
    graph.graph.eliminate_dead_code()


def _is_view(node: fx.Node) -> bool:
    """Whether what it returns lies in the memory of what it was given; picking from a tuple counts."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return True
    return bool(node.all_input_nodes) and (
        node.target.is_view or node.target in (torch.ops.aten.split_with_sizes.default,)
    )


def _is_pure(node: fx.Node) -> bool:
    """Whether it is an operation that changes nothing."""
    return isinstance(node.target, torch._ops.OpOverload) and not node.target._schema.is_mutable


def _is_only_read(node: fx.Node) -> bool:
    """Whether nobody changes what it returns, nor a view of it."""
    return all(_is_pure(user) and (not _is_view(user) or _is_only_read(user)) for user in node.users)
