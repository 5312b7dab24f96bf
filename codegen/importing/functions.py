"""What a forward does between its modules: additions, reshaping, pooling, and walks over time, as nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from codegen.importing import convolutions, module_operators
from codegen.importing.float_network import Floats
from codegen.importing.linear_maps import RefusedError
from codegen.importing.operators import Flatten, Input, Linear, Operator, Scale, WholeMap
from codegen.importing.time_steps import ALWAYS, STEPS, Time, at_once, joined, parts_of, picked, sum_of

if TYPE_CHECKING:
    from codegen.importing.tracing import Tag, Tracer

_WITHOUT_VALUES = {
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones",
    "new_empty", "new_full", "new_tensor",
}  # fmt: skip
_SAME = {
    "to", "float", "double", "half", "type", "type_as", "cpu", "cuda", "clone", "detach", "detach_", "contiguous",
    "requires_grad_", "dropout", "dropout2d", "dropout_", "alias", "__get__", "as_tensor", "positive",
}  # fmt: skip
_VIEWS = {"flatten", "view", "reshape", "squeeze", "unsqueeze", "repeat", "expand", "expand_as", "unflatten", "view_as"}
_PICKS = {"__getitem__", "select", "unbind", "chunk", "split", "narrow", "index_select"}
_JOINS = {"stack", "cat", "concat", "concatenate"}
_ADDS = {
    "add": 1,
    "__add__": 1,
    "__radd__": 1,
    "__iadd__": 1,
    "add_": 1,
    "sub": -1,
    "__sub__": -1,
    "__isub__": -1,
    "sub_": -1,
}
_PRODUCTS = {
    "mul": 1,
    "__mul__": 1,
    "__rmul__": 1,
    "__imul__": 1,
    "mul_": 1,
    "div": -1,
    "true_divide": -1,
    "__truediv__": -1,
}
_REDUCTIONS = {"mean", "sum"}
_IN_PLACE = {"__iadd__", "__isub__", "__imul__", "add_", "sub_", "mul_"}


def tensors(values: Any) -> list[Tensor]:
    """All tensors among values, and in lists, tuples and dictionaries among them."""
    return list(_tensors(values))


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def kept(tracer: Tracer, func: Any, args: Any) -> Any:
    """The arguments as they are before the call, where it writes into one that depends on nothing yet."""
    in_place = func.__name__ in _IN_PLACE and isinstance(args[0], Tensor) and tracer.tag_of(args[0]) is None
    return (args[0].clone(), *args[1:]) if in_place else args


def note(tracer: Tracer, func: Any, args: Any, kwargs: Any, before: list[Tag | None], result: Any) -> None:
    """Tag what a function gave of tagged tensors; ``before``: the tags of the tensors among ``args``, in order."""
    name = func.__name__
    results = tensors(result)
    if name in _WITHOUT_VALUES or not results:
        return
    tags = [tracer.settled(tag) if name not in _ADDS else tag for tag in before if tag is not None]
    tag, first = tags[0], results[0]
    times: list[Time] | None = None
    found: Tag | None = None
    if name in _SAME | _VIEWS:
        found = viewed(tracer, tag, first)
    elif name in _PICKS and _within_leading(name, args, kwargs, tag):
        found = viewed(tracer, tag, first)
        times = picked(tag.time, name, args, kwargs, results)
    elif name in _JOINS and len({other.node for other in tags}) == 1 and len(tags) == len(tensors(args)):
        found = viewed(tracer, tag, first, join=True)
        times = [joined([other.time for other in tags])]
    elif name in ("transpose", "permute", "swapaxes", "movedim") and _moves_leading(args, kwargs, tag, first):
        found = viewed(tracer, tag, first)
    elif name in _ADDS:
        found = _addition(tracer, name, args, kwargs, tag, first)
    elif name in _PRODUCTS:
        found = _product(tracer, name, args, kwargs, tag, first)
    elif name in _REDUCTIONS:
        found = _reduction(tracer, name, args, kwargs, tag, first)
    elif name in _LAYERS:
        found = _layer(tracer, name, args, kwargs, tag, first)
    if found is None:
        tags = [tracer.settled(other) for other in tags]
        key = (name, tuple(other.node for other in tags))
        node = tracer.unsupported(key, name, list(dict.fromkeys(other.node for other in tags)), f"is torch's {name}")
        found, times = _tag(tag, node, tuple(first.shape[tag.leading :])), None
    for tensor, time in zip(results, times or [found.time] * len(results), strict=True):
        tracer.tag(tensor, replace(found, time=time))


def _tag(tag: Tag, node: str, shape: tuple[int, ...], leading: int | None = None) -> Tag:
    return replace(tag, node=node, shape=shape, leading=tag.leading if leading is None else leading)


def viewed(tracer: Tracer, tag: Tag, result: Tensor, join: bool = False) -> Tag | None:
    """The tag of a tensor that shows a tagged one's samples, the dimensions in front of them changed, or flattened."""
    shape = tuple(result.shape)
    dimensions = len(tag.shape)
    if dimensions and shape[-dimensions:] == tag.shape:
        return replace(tag, leading=len(shape) - dimensions)
    elements = int(np.prod(tag.shape))
    if join or not shape:
        return None
    if dimensions > 1 and shape[-1] == elements:
        node = tracer.node(("flatten",), f"{tag.node}.flatten", [tag.node], lambda: Flatten(0, -1))
        return _tag(tag, node, (elements,), len(shape) - 1)
    own = shape[tag.leading :]
    unread = not any(source == tag.node for source, _ in tracer.edges)
    is_input = isinstance(tracer.nodes.get(tag.node), Input)
    if is_input and unread and len(own) <= 3 and int(np.prod(own)) == elements:
        # Nothing has read the input yet: this is the shape in which it is read.
        tracer.nodes[tag.node] = Input(own)
        return _tag(tag, tag.node, own)
    return None


def _within_leading(name: str, args: Any, kwargs: Any, tag: Tag) -> bool:
    if name == "__getitem__":
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        if any(entry is None or isinstance(entry, Tensor) for entry in index):
            return False
        if Ellipsis in index:
            return index.index(Ellipsis) <= tag.leading and index[-1] is Ellipsis
        return all(entry == slice(None) for entry in index[tag.leading :])
    dimension = kwargs.get("dim", args[2] if name in ("chunk", "split") and len(args) > 2 else 0)
    if name in ("select", "narrow", "index_select"):
        dimension = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    if name == "unbind" and len(args) > 1:
        dimension = args[1]
    return isinstance(dimension, int) and 0 <= dimension < tag.leading


def _moves_leading(args: Any, kwargs: Any, tag: Tag, result: Tensor) -> bool:
    """Whether only dimensions in front of the samples change places."""
    flat = [entry for value in args[1:] for entry in (value if isinstance(value, list | tuple) else (value,))]
    flat += [value for value in kwargs.values() if isinstance(value, int)]
    if len(flat) == 2 and len(flat) < result.dim():
        return all(0 <= entry < tag.leading for entry in flat)
    return flat[tag.leading :] == list(range(tag.leading, result.dim()))


def _addition(tracer: Tracer, name: str, args: Any, kwargs: Any, tag: Tag, result: Tensor) -> Tag | None:
    left, right = args[0], args[1]
    sign = _ADDS[name] * float(kwargs.get("alpha", 1))
    own, other = tracer.tag_of(left), tracer.tag_of(right)
    if own is not None and other is not None:
        if own.shape != other.shape:
            return None
        time = at_once([own.time, other.time])
        if time is None:
            return _over_time(tracer, own, other, sign)
        terms = sum_terms([(own.node, 1.0), (other.node, sign)])
        return replace(own if own.leading >= other.leading else other, node=combination(tracer, terms), time=time)
    tag = tracer.settled(tag)
    constant = right if own is not None else left
    shift = _constant(constant, tag)
    if shift is None:
        return None
    factor = np.array(1.0 if own is not None or sign == 1 else sign)
    shift = shift * sign if own is not None else shift
    return _scaled(tracer, tag, factor, shift)


def _over_time(tracer: Tracer, own: Tag, other: Tag, sign: float) -> Tag | None:
    """A sum of what several time steps give, as a forward that adds up its logits makes it."""
    parts = [parts_of(tag.time, tracer.terms.get(tag.node, {tag.node: 1.0})) for tag in (own, other)]
    if parts[0] is None or parts[1] is None:
        return None
    return replace(own, time=sum_of((parts[0], parts[1]), (1.0, sign)))


def sum_terms(terms: list[tuple[str, float]]) -> dict[str, float]:
    """Factors by node; those of a node that occurs twice are added."""
    return {node: sum(factor for other, factor in terms if other == node) for node in dict.fromkeys(dict(terms))}


def combination(tracer: Tracer, terms: Mapping[str, float]) -> str:
    """The node of a sum of nodes times factors."""
    sources = []
    for node, factor in terms.items():
        if factor == 1:
            sources.append(node)
        else:
            sources.append(_scaled_node(tracer, node, np.array(factor), np.array(0.0)))
    if len(sources) == 1:
        return sources[0]
    # Several edges into one node are a sum.
    node = tracer.node(("add",), "add", sorted(sources), lambda: module_operators.UNCHANGED)
    tracer.terms[node] = sum_terms(
        [
            (atom, share * factor)
            for source, factor in terms.items()
            for atom, share in tracer.terms.get(source, {source: 1.0}).items()
        ]
    )
    return node


def _product(tracer: Tracer, name: str, args: Any, kwargs: Any, tag: Tag, result: Tensor) -> Tag | None:
    left, right = args[0], args[1]
    own, other = tracer.tag_of(left), tracer.tag_of(right)
    if (own is not None and other is not None) or kwargs.get("rounding_mode"):
        return None
    factor = _constant(right if own is not None else left, tag)
    if factor is None or (_PRODUCTS[name] < 0 and (own is None or not factor.all())):
        return None
    return _scaled(tracer, tag, 1 / factor if _PRODUCTS[name] < 0 else factor, np.array(0.0))


def _scaled(tracer: Tracer, tag: Tag, factor: Floats, shift: Floats) -> Tag:
    if tag.time.kind == "total":
        shift = shift / tag.time.number
    if (factor == 1).all() and not shift.any():
        return tag
    return replace(tag, node=_scaled_node(tracer, tag.node, factor, shift))


def _scaled_node(tracer: Tracer, source: str, factor: Floats, shift: Floats) -> str:
    key = ("scale", factor.tobytes(), factor.shape, shift.tobytes(), shift.shape)
    node = tracer.node(key, f"{source}.scale", [source], lambda: Scale(factor, shift))
    if not factor.ndim and not shift.any():
        known = tracer.terms.get(source, {source: 1.0})
        tracer.terms[node] = {atom: share * float(factor) for atom, share in known.items()}
    return node


def _constant(value: Any, tag: Tag) -> Floats | None:
    """A number, or a tensor that is the same for all samples, as an array of the samples' dimensions."""
    array = module_operators.values(value) if isinstance(value, Tensor | int | float) else None
    if array is None or not np.isfinite(array).all():
        return None
    if array.size == 1:
        return np.array(float(array.reshape(-1)[0]))
    while array.ndim > len(tag.shape) and len(array) and (array == array[:1]).all():
        array = array[0]
    if array.ndim > len(tag.shape):
        return None
    padded = array.reshape(*[1] * (len(tag.shape) - array.ndim), *array.shape)
    return np.array(np.broadcast_to(padded, tag.shape))


def _reduction(tracer: Tracer, name: str, args: Any, kwargs: Any, tag: Tag, result: Tensor) -> Tag | None:
    given = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if given is None:
        return None
    total = tag.leading + len(tag.shape)
    axes = sorted(axis % total for axis in (given if isinstance(given, list | tuple) else (given,)))
    if all(axis < tag.leading for axis in axes):
        return _time_reduction(tracer, name, axes, args[0], tag, result)
    if name != "mean" or len(tag.shape) != 3 or axes != [total - 2, total - 1]:
        return None
    node = tracer.node(("whole map",), f"{tag.node}.mean", [tag.node], WholeMap)
    pooled = _tag(tag, node, (tag.shape[0], 1, 1))
    return pooled if tuple(result.shape[tag.leading :]) == pooled.shape else viewed(tracer, pooled, result)


def _time_reduction(tracer: Tracer, name: str, axes: list[int], tensor: Tensor, tag: Tag, result: Tensor) -> Tag | None:
    """The sum or the mean over one dimension in front of the samples, which is time."""
    if len(axes) != 1 or (tag.time != STEPS and not (tag.time == ALWAYS and tag.leading > 1)):
        return None
    steps = tensor.shape[axes[0]]
    total = replace(tag, time=Time("total", steps))
    if name == "mean":
        total = _scaled(tracer, total, np.array(1 / steps), np.array(0.0))
    return viewed(tracer, total, result)


_LAYERS = {"linear", "conv1d", "conv2d", "max_pool2d", "boolean_dispatch", "avg_pool2d", "adaptive_avg_pool2d"}


def _layer(tracer: Tracer, name: str, args: Any, kwargs: Any, tag: Tag, result: Tensor) -> Tag | None:
    if tracer.tag_of(args[0]) is None:
        return None
    given = dict(zip(_PARAMETERS[name], args[1:], strict=False)) | kwargs

    def make() -> Operator:
        return _operator(name, given, tag)

    key = (name, *(_digest(value) if isinstance(value, Tensor) else str(value) for value in given.values()))
    node = tracer.applied(key, name, tag, make)
    return _tag(tag, node, tuple(result.shape[tag.leading :]))


def _digest(tensor: Tensor) -> str:
    """Weights may be computed anew in each step, and are the same where their values are."""
    return hashlib.sha256(module_operators.values(tensor).tobytes()).hexdigest()


_CONVOLUTION = ("weight", "bias", "stride", "padding", "dilation", "groups")
_PARAMETERS = {
    "linear": ("weight", "bias"),
    "conv1d": _CONVOLUTION,
    "conv2d": _CONVOLUTION,
    "max_pool2d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "boolean_dispatch": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool2d": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    "adaptive_avg_pool2d": ("output_size",),
}


def _operator(name: str, given: dict[str, Any], tag: Tag) -> Operator:
    if name == "adaptive_avg_pool2d":
        return module_operators.adaptive(tag.shape, given["output_size"])
    if name.endswith("pool2d") or name == "boolean_dispatch":
        kind = "avg" if name == "avg_pool2d" else "max"
        if given.get("divisor_override") or given.get("dilation", 1) not in (1, (1, 1), [1, 1]):
            raise RefusedError("has dilation, or a divisor_override")
        return module_operators.pooling(
            kind, tag.shape, given["kernel_size"], given.get("stride"), given.get("padding", 0),
            bool(given.get("ceil_mode", False)), bool(given.get("count_include_pad", True)),
        )  # fmt: skip
    weights = module_operators.values(given["weight"])
    bias = None if given.get("bias") is None else module_operators.values(given["bias"])
    if name == "linear":
        none = np.zeros(len(weights)) if bias is None else bias
        return Linear(convolutions.floats(weights, "weight"), convolutions.floats(none, "bias"))
    one = name == "conv1d"
    padding = given.get("padding", 0)
    return convolutions.built(
        weights[:, :, None, :] if one else weights,
        bias,
        module_operators.pair(given.get("stride", 1), one, 1),
        padding if isinstance(padding, str) else module_operators.pair(padding, one, 0),
        module_operators.pair(given.get("dilation", 1), one, 1),
        given.get("groups", 1),
        dimensions=1 if one else 2,
    )
