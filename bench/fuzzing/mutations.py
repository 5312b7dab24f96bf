"""Mutations of files: bytes of any of them, values of JSON and TOML, nodes of ONNX, members of tar archives."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ODD_BYTES = (b"nan", b"-", b"[]", b"1e999", b"null", b"\xff\xfe", b"\x00", b'"', b"9" * 400)
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 7, 255, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.5, 1e300, float("nan"),
    float("inf"), "", "x", "../x", "/nowhere/x", "a/../../b", "\x00", "'; touch F; '", "$(touch F)", "ü", "x" * 5000,
    [], [[]], {}, {"a": 1}, [None], [1, 2, 3], ["x"],
)  # fmt: skip
"""What takes the place of a value. Options are among them that name outputs: none of these is a file of the machine."""
OUTSIDE_VALUES = (*ODD_VALUES, "/etc/hostname")
"""The same for files, which only name what is read."""
CODE_NAMES = ("this", "antigravity", "runs.x.module", "os", "qonnx.custom_op.general", "finn.custom_op", "a/b", "")
"""Domains of operators that are, or look like, modules of Python."""
CODE_ATTRIBUTES = ("executable_path", "code_gen_dir_cppsim", "ip_path", "ipgen_path", "rtlsim_so", "gen_top_module")
"""Attributes by which FINN finds programs."""
MARKER_MODULES = ("this", "antigravity")
"""Of CODE_NAMES those that nothing else imports."""


def mutated_bytes(content: bytes, draw: random.Random) -> bytes:
    """One of: a bit flipped, the end cut, a part removed or doubled, random or odd bytes put in or over."""
    if not content:
        return draw.choice(ODD_BYTES)
    place, end = sorted(draw.randrange(len(content)) for _ in range(2))
    digits = [index for index, byte in enumerate(content[:2000]) if chr(byte).isdigit()] or [place]
    digit = draw.choice(digits)
    return draw.choice(
        [
            lambda: _flipped(content, place, draw.randrange(8)),
            lambda: _flipped(content, digit, draw.randrange(8)),
            lambda: content[:place],
            lambda: content[:place] + content[end:],
            lambda: content[:end] + content[place:],
            lambda: content[:place] + draw.randbytes(draw.randrange(1, 20)) + content[place:],
            lambda: content[:digit] + draw.choice(ODD_BYTES) + content[digit + 1 :],
            lambda: content[:place] + draw.choice(ODD_BYTES) + content[place + 1 :],
        ]
    )()


def _flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def mutated_json(content: bytes, draw: random.Random) -> bytes:
    """A value or key at a random place replaced, removed or doubled; or the nesting made deep; or ``mutated_bytes``."""
    if draw.random() < 0.3:
        return mutated_bytes(content, draw)
    if draw.random() < 0.02:
        return b"[" * 100_000
    tree = json.loads(content)
    holder, key = draw.choice(list(_places(tree)))
    _change(holder, key, draw)
    return json.dumps(tree).encode()


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every list or object of a tree with each of its indices or keys."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    found = [(tree, key) for key in keys]
    return found + [place for key in keys for place in _places(tree[key])]


def _change(holder: Any, key: Any, draw: random.Random) -> None:
    kind = draw.random()
    if kind < 0.6:
        holder[key] = draw.choice(OUTSIDE_VALUES)
    elif kind < 0.75:
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(draw.randrange(len(holder)), holder[key])
    elif kind < 0.9:
        holder[str(draw.choice(ODD_VALUES))[:100]] = holder.pop(key)
    elif isinstance(holder[key], (int, float)):
        holder[key] = holder[key] * draw.choice([-1, 2, 1000]) + draw.choice([0, 1])
    else:
        holder[key] = [holder[key]]


def mutated_toml(content: bytes, draw: random.Random) -> bytes:
    """One option's value replaced, or a line doubled or removed; or ``mutated_bytes``."""
    lines = content.decode().splitlines()
    place = draw.randrange(len(lines))
    name = lines[place].partition(" = ")[0]
    kind = draw.random()
    if kind < 0.3:
        return mutated_bytes(content, draw)
    if kind < 0.8:
        value = draw.choice(ODD_VALUES)
        lines[place] = f"{name} = {'nan' if value is None else json.dumps(value)}"
    elif kind < 0.9:
        lines.append(lines[place])
    else:
        del lines[place]
    return "\n".join(lines).encode()


def mutated_onnx(content: bytes, draw: random.Random) -> bytes:
    """A model with one or two changes of what an exporter or an editor may have written; or ``mutated_bytes``."""
    if draw.random() < 0.15:
        return mutated_bytes(content, draw)
    model = onnx.load_from_string(content)
    for _ in range(draw.choice([1, 1, 2])):
        draw.choice(_ONNX_CHANGES)(model, draw)
    return model.SerializeToString()


def _nodes(model: onnx.ModelProto, draw: random.Random) -> Any:
    functions = [function.node for function in model.functions]
    return draw.choice([model.graph.node, *functions]) if draw.random() < 0.3 else model.graph.node


def _change_node(model: onnx.ModelProto, draw: random.Random) -> None:
    nodes = _nodes(model, draw)
    if not nodes:
        return
    index = draw.randrange(len(nodes))
    node = nodes[index]
    kind = draw.randrange(8)
    if kind == 0:
        node.op_type = draw.choice(["Loop", "If", "Scan", "Relu", "Add", "Sub", "", "MVAU_hls", "x" * 300])
    elif kind == 1:
        node.domain = draw.choice(CODE_NAMES)
    elif kind == 2:
        del nodes[index]
    elif kind == 3:
        nodes.append(node)
    elif kind == 4 and node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice([entry for other in nodes for entry in other.output])
    elif kind == 5 and node.output:
        node.output[0] = draw.choice(["x", "", node.output[0] + "/../x", "image"])
    elif kind == 6:
        node.name = draw.choice(["", "../x", "a b", "x" * 5000, nodes[0].name])
    else:
        nodes.insert(draw.randrange(len(nodes)), node)


def _change_attribute(model: onnx.ModelProto, draw: random.Random) -> None:
    holders = [node for node in _nodes(model, draw) if node.attribute]
    if not holders:
        return
    attribute = draw.choice(draw.choice(holders).attribute)
    number = draw.choice([-(2**63), -1, 0, 1, 2, 3, 7, 24, 40, 100, 2**31, 2**62])
    kind = draw.random()
    if kind < 0.5 and attribute.type == onnx.AttributeProto.INT:
        attribute.i = number
    elif kind < 0.5 and attribute.type == onnx.AttributeProto.INTS and attribute.ints:
        attribute.ints[draw.randrange(len(attribute.ints))] = number
    elif kind < 0.5 and attribute.type == onnx.AttributeProto.STRING:
        attribute.s = draw.choice([b"", b"/bin/true", b"../x", b"\xff", b"UINT8", b"INT99999", b"x" * 300])
    elif kind < 0.7:
        value = draw.choice([number, "text", 0.5, [1, 2], float("nan")])
        attribute.CopyFrom(helper.make_attribute(attribute.name, value))
    else:
        attribute.name = draw.choice(["x", "", "timesteps"])


def _add_attribute(model: onnx.ModelProto, draw: random.Random) -> None:
    node = draw.choice(model.graph.node)
    value = draw.choice(["/bin/true", "../x", 1, -1, 2.5, [1, 2, 3]])
    node.attribute.append(helper.make_attribute(draw.choice([*CODE_ATTRIBUTES, "x", "timesteps", "auto_pad"]), value))


def _change_initializer(model: onnx.ModelProto, draw: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = draw.choice(model.graph.initializer)
    try:
        array = numpy_helper.to_array(tensor).copy()
    except (ValueError, KeyError, TypeError):  # the change before damaged it
        return
    kind = draw.randrange(6)
    if kind == 0 and array.size:
        array.reshape(-1)[draw.randrange(array.size)] = draw.choice([-1, 0, 1, 127, 2**24 + 1, 2**31 - 1, -(2**31)])
    elif kind == 1:
        array = array.astype(draw.choice([np.int64, np.float64, np.float16, np.uint8, np.float32]))
    elif kind == 2:
        array = array[..., None] if draw.random() < 0.5 else array.reshape(-1)
    elif kind == 3 and array.size and array.dtype.kind == "f":
        array.reshape(-1)[0] = draw.choice([np.nan, np.inf, 0.5])
    elif kind == 4:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=draw.choice(["../x", "/etc/hostname", "x.bin"]))
        return
    elif kind == 5:
        tensor.dims[:] = [draw.choice([0, -1, 1, 2**40])] * max(1, len(tensor.dims))
        return
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _move_to_constant(model: onnx.ModelProto, draw: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = draw.choice(model.graph.initializer)
    node = helper.make_node("Constant", [], [tensor.name], value=tensor)
    model.graph.initializer.remove(tensor)
    model.graph.node.insert(0, node)


def _change_value(model: onnx.ModelProto, draw: random.Random) -> None:
    entries = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    if not entries:
        return
    entry = draw.choice(entries)
    dims = entry.type.tensor_type.shape.dim
    kind = draw.randrange(4)
    if kind == 0:
        entry.name = draw.choice(["x", "", "image", "logits"])
    elif kind == 1:
        entry.type.tensor_type.elem_type = draw.choice([TensorProto.STRING, TensorProto.INT64, TensorProto.FLOAT, 99])
    elif kind == 2 and dims:
        draw.choice(dims).dim_value = draw.choice([0, 1, 2, 4, -1, 2**40])
    else:
        entry.type.tensor_type.shape.dim.add(dim_value=1)


def _change_metadata(model: onnx.ModelProto, draw: random.Random) -> None:
    if not model.metadata_props:
        model.metadata_props.add(key="x", value="y")
        return
    entry = draw.choice(model.metadata_props)
    if draw.random() < 0.2:
        model.metadata_props.remove(entry)
    elif draw.random() < 0.5:
        entry.value = str(draw.choice(ODD_VALUES))
    else:
        numbers = [character for character in entry.value if character.isdigit()]
        if numbers:
            entry.value = entry.value.replace(draw.choice(numbers), draw.choice(["0", "1", "3", "-1", "99"]))


def _change_header(model: onnx.ModelProto, draw: random.Random) -> None:
    kind = draw.randrange(3)
    if kind == 0:
        model.ir_version = draw.choice([0, 1, 3, 8, 99, 2**40])
    elif kind == 1 and model.opset_import:
        entry = draw.choice(model.opset_import)
        entry.version = draw.choice([0, 1, 7, 13, 17, 99, 2**40])
    else:
        entry = model.opset_import.add()
        entry.domain, entry.version = draw.choice(CODE_NAMES), 1


_ONNX_CHANGES: tuple[Callable[[onnx.ModelProto, random.Random], None], ...] = (
    _change_node,
    _change_attribute,
    _change_attribute,
    _add_attribute,
    _change_initializer,
    _move_to_constant,
    _change_value,
    _change_metadata,
    _change_header,
)


_MEMBER_TYPES = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)


def mutated_tar(members: dict[str, bytes], draw: random.Random) -> bytes:
    """An archive of these files in which one has an odd name, kind or size; or whole, and then ``mutated_bytes``."""
    stream = io.BytesIO()
    odd = draw.choice(list(members)) if draw.random() < 0.6 else None
    form = draw.choice(["w", "w:gz", "w:xz", "w:bz2"])
    with tarfile.open(fileobj=stream, mode=form, format=draw.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if name == odd:
                _make_odd(member, draw)
            tar.addfile(member, io.BytesIO(content + bytes(max(0, member.size - len(content)))))
    content = stream.getvalue()
    return content if odd else mutated_bytes(content, draw)


def _make_odd(member: tarfile.TarInfo, draw: random.Random) -> None:
    kind = draw.randrange(5)
    if kind == 0:
        member.name = draw.choice(
            ["../../x.png", "/tmp/x.png", "x" * 300, ".hidden.png", "train", "a\nb.png", "t/a.eps"]
        )
    elif kind == 1:
        member.type = draw.choice(
            [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
        )
        member.linkname, member.size = draw.choice(["/etc/passwd", "x", member.name]), 0
    elif kind == 2:
        member.size = draw.choice([0, 1, 511, 4096])
    elif kind == 3:
        member.name = member.name.replace("train", draw.choice(["test", "valid", "Train", ""]))
    else:
        member.name = member.name.rpartition(".")[0] + draw.choice([".eps", ".tif", ".txt", "", ".PNG", ".gif"])
