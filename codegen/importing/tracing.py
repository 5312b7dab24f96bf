"""A module's forward, watched once, as a graph of operators.

The module is called as it is, on an example; hooks see what its modules take and give, and a torch function mode sees
what is done between them. Every tensor that depends on the input carries the name of the node that made it. A node is
known by what it does and what it reads, so a loop over time steps goes over the same nodes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from codegen.errors import ImportingError
from codegen.importing import functions, module_operators
from codegen.importing.linear_maps import RefusedError
from codegen.importing.module_operators import Shape
from codegen.importing.operators import Input, Operator, OperatorGraph, Output
from codegen.importing.time_steps import ALWAYS, SOME, STEPS, Time, of_a_total, same_at_all_steps

INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Tag:
    """Which node made a tensor, the shape of one sample of it, how many dimensions stand in front of that, and which
    time steps it holds."""

    node: str
    shape: Shape
    leading: int
    time: Time = ALWAYS


@dataclass(frozen=True)
class Unsupported:
    """A node that no operator stands for, and why; it is only named where it reaches the output."""

    reason: str


class Tracer(TorchFunctionMode):
    """What is seen of one call."""

    def __init__(self, names: dict[nn.Module, str]) -> None:
        super().__init__()
        self.nodes: dict[str, Operator | Unsupported] = {}
        self.edges: list[tuple[str, str]] = []
        self.calls: dict[str, int] = {}
        self.terms: dict[str, dict[str, float]] = {}
        self._names = names
        self._known: dict[tuple[Any, ...], str] = {}
        self._tags: dict[int, tuple[Tensor, Tag]] = {}
        self._inside = 0
        self._inputs_of: dict[nn.Module, set[str]] = {}

    def tag(self, tensor: Tensor, tag: Tag) -> None:
        """Remember what made a tensor. It is kept, so that no later one takes its identity."""
        self._tags[id(tensor)] = (tensor, tag)

    def tag_of(self, value: Any) -> Tag | None:
        """What made a tensor; None for all else."""
        found = self._tags.get(id(value)) if isinstance(value, Tensor) else None
        return found[1] if found is not None else None

    def node(
        self, key: tuple[Any, ...], name: str, sources: list[str], make: Callable[[], Operator | Unsupported]
    ) -> str:
        """The node that does ``key`` to what ``sources`` give, made where it is new."""
        key = (*key, *sources)
        if key not in self._known:
            try:
                operator = make()
            except RefusedError as refused:
                operator = Unsupported(str(refused))
            unique, number = name, 2
            while unique in self.nodes:
                unique, number = f"{name}_{number}", number + 1
            self.nodes[unique] = operator
            self.edges.extend((source, unique) for source in sources)
            self._known[key] = unique
        return self._known[key]

    def applied(self, key: tuple[Any, ...], name: str, tag: Tag, make: Callable[[], Operator]) -> str:
        """The node of an operator on a tensor, which may be a sum over time steps."""
        if tag.time.kind != "total":
            return self.node(key, name, [tag.node], make)
        steps = tag.time.number
        return self.node((*key, "total", steps), name, [tag.node], lambda: of_a_total(make(), steps))

    def settled(self, tag: Tag) -> Tag:
        """The tag of a sum over time steps as one node's total, if it is one; others as they are."""
        if tag.time.kind != "sum":
            return tag
        found = same_at_all_steps(tag.time)
        if found is None:
            sources = sorted({node for (node, _), _ in tag.time.parts})
            node = self.unsupported(("steps",), "sum", sources, "does not add up the same of every time step")
            return replace(tag, node=node, time=SOME)
        terms, count = found
        return replace(tag, node=functions.combination(self, terms), time=Time("total", count))

    def unsupported(self, key: tuple[Any, ...], name: str, sources: list[str], reason: str) -> str:
        """A node that nothing stands for."""
        return self.node(key, name, sources, lambda: Unsupported(reason))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and where the call stands between known modules note what it does."""
        kwargs = kwargs or {}
        if self._inside:
            return func(*args, **kwargs)
        before = [self.tag_of(value) for value in functions.tensors(args)]
        given = functions.kept(self, func, args)
        result = func(*args, **kwargs)
        if any(tag is not None for tag in before):
            functions.note(self, func, given, kwargs, before, result)
        return result

    @contextmanager
    def watching(self, net: nn.Module) -> Iterator[None]:
        """While inside, calls of the network's modules are seen."""
        handles = []
        for module in net.modules():
            if module_operators.is_leaf(module):
                handles.append(module.register_forward_pre_hook(self._enter))
                handles.append(module.register_forward_hook(self._leave))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._inside += 1

    def _leave(self, module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        self._inside -= 1
        tag = self.tag_of(args[0]) if args else None
        if self._inside or tag is None:
            return
        tag = self.settled(tag)
        name = self._names[module]
        outputs = [value for value in (result if isinstance(result, tuple) else (result,)) if isinstance(value, Tensor)]
        if not outputs:
            return
        make = module_operators.known(module)
        node = self._module_node(module, name, tag, make, args)
        shape = tuple(outputs[0].shape[tag.leading :])
        time = tag.time
        if module_operators.is_neuron(module):
            several, before = tag.leading == 2, self.calls.get(node, 0)
            time = STEPS if several else Time("step", before)
            self.calls[node] = before + (outputs[0].shape[0] if several else 1)
            if tag.time not in (ALWAYS, time) and tag.time.kind != "total":
                reason = "reads in one time step what another gives, or a part of them"
                node = self.unsupported((id(module), "late"), name, [tag.node], reason)
        self.tag(outputs[0], Tag(node, shape, tag.leading, time))
        for state in outputs[1:]:
            reading = self.unsupported(("state",), f"{node}.state", [node], f"is the membrane potential of {node}")
            self.tag(state, Tag(reading, shape, tag.leading, time))

    def _module_node(
        self, module: nn.Module, name: str, tag: Tag, make: Callable[[Any, Shape], Operator] | None, args: Any
    ) -> str:
        if make is None:
            return self.unsupported((id(module),), name, [tag.node], f"is a {type(module).__name__}")
        made = make
        if not module_operators.is_neuron(module):
            return self.applied((id(module),), name, tag, lambda: made(module, tag.shape))
        uses = self._inputs_of.setdefault(module, set())
        uses.add(tag.node)
        own_state = len(args) > 1 and isinstance(args[1], Tensor)
        state = self.tag_of(args[1]) if own_state else None
        node = self.applied((id(module),), name, tag, lambda: made(module, tag.shape))
        fed = state is not None and state.node != f"{node}.state"
        if fed or (len(uses) > 1 and not own_state):
            reason = "keeps one potential for several layers, or reads in a later step what it did not in the first"
            return self.unsupported((id(module), "again"), name, [tag.node], reason)
        return node


def trace(net: nn.Module, example: Tensor, leading: int, origin: str) -> tuple[OperatorGraph, int, Tensor]:
    """The operators of a network, the time steps that its forward went through (1 where it went through one), and the
    values that it gave.

    ``leading``: dimensions of the example in front of one sample's, 1 (batch) or 2 (time, batch). The network is in
    evaluation mode meanwhile, and computes on the example; its state is the caller's to keep. Raises ImportingError,
    one sentence, with all that is not supported between input and output.
    """
    tracer = Tracer({module: name or type(module).__name__ for name, module in net.named_modules()})
    tracer.nodes[INPUT] = Input(tuple(example.shape[leading:]))
    tracer.tag(example, Tag(INPUT, tuple(example.shape[leading:]), leading, STEPS if leading == 2 else ALWAYS))
    training = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.no_grad(), tracer.watching(net):
            result = net(example)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise ImportingError(f"{origin}: its forward failed on the example: {error}") from error
    finally:
        for module, mode in training.items():
            module.training = mode
    end, steps, given, notes = _end(tracer, result, origin)
    nodes = {name: operator for name, operator in tracer.nodes.items() if not isinstance(operator, Unsupported)}
    edges = [(source, target) for source, target in tracer.edges if source in nodes and target in nodes]
    nodes[OUTPUT] = Output()
    return OperatorGraph(origin, nodes, (*edges, (end, OUTPUT)), notes), steps, given


def _end(tracer: Tracer, result: Any, origin: str) -> tuple[str, int, Tensor, tuple[str, ...]]:
    """The node whose values, summed over the time steps, the network returns, how many steps those are, what it
    returned, and notes.

    Of several results the first that can be followed.
    """
    tagged = [(tensor, tracer.tag_of(tensor)) for tensor in functions.tensors((result,))]
    returned = {tag.node: (tensor, tag) for tensor, made in reversed(tagged) if made and (tag := tracer.settled(made))}
    if not returned:
        raise ImportingError(f"{origin}: what its forward returns does not come from the example")
    wrong: list[list[str]] = []
    for node, (tensor, tag) in reversed(returned.items()):
        reached = _reached(tracer.edges, node)
        found = [
            f"{name} {operator.reason}"
            for name, operator in tracer.nodes.items()
            if isinstance(operator, Unsupported) and name in reached
        ]
        steps = max((count for name, count in tracer.calls.items() if name in reached), default=1)
        if not found and (missing := _missing(tag, tuple(tensor.shape), steps)):
            found = [f"{node}, which the forward returns, {missing}"]
        if not found:
            several = len(returned) > 1
            notes = (f"Of the results of its forward, the one of {node} is taken.",) if several else ()
            return node, steps, tensor, notes
        wrong.append(found)
    raise ImportingError(f"{origin}: not supported: {'; '.join(wrong[0])}")


def _missing(tag: Tag, shape: tuple[int, ...], steps: int) -> str:
    """What keeps a returned tensor from being all time steps or their sum; "" if it is one of both."""
    time, advice = tag.time, "; logits are all steps (torch.stack), or their sum"
    if time.kind == "step" and steps > 1:
        return f"is that of time step {time.number + 1} of {steps} alone{advice}"
    if time.kind == "total" and time.number != steps:
        return f"is the sum over {time.number} time steps of {steps}{advice}"
    if time == SOME or (time == STEPS and tag.leading > 1 and steps not in shape[: tag.leading]):
        return f"is not all of {steps} time steps in their order{advice}"
    return ""


def _reached(edges: list[tuple[str, str]], end: str) -> set[str]:
    found, waiting = {end}, [end]
    while waiting:
        node = waiting.pop()
        for source, target in edges:
            if target == node and source not in found:
                found.add(source)
                waiting.append(source)
    return found
