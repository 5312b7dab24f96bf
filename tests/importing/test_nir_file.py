"""Files that are no NIR, or want to harm: one sentence, no memory, no other file read. Good ones come as written."""

from __future__ import annotations

import re
from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest

from codegen.errors import ImportingError
from codegen.importing import hdf5, hdf5_child, nir_fields
from codegen.importing.nir_file import read_nir


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.nir"
    rng = np.random.default_rng(0)
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([12])),
            "fc": nir.Linear(rng.normal(size=(3, 12))),
            "output": nir.Output(np.array([3])),
        },
        [("input", "fc"), ("fc", "output")],
        metadata={"note": "inner"},
    )
    nodes = {
        "input": nir.Input(np.array([1, 4, 4])),
        "conv": nir.Conv2d((4, 4), rng.normal(size=(3, 1, 3, 3)), 1, "valid", 1, 1, np.zeros(3)),
        "if": nir.IF(np.ones((3, 2, 2)), np.ones((3, 2, 2))),
        "flatten": nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
        "inner": inner,
        "output": nir.Output(np.array([3])),
    }
    names = list(nodes)
    nir.write(path, nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": 1e-3}, type_check=False))
    return path


def test_a_good_file_is_read_as_it_was_written(good):
    ours, theirs = read_nir(good), nir.read(good, type_check=False)
    assert ours.edges == theirs.edges
    assert ours.metadata == theirs.metadata
    assert set(ours.nodes) == set(theirs.nodes)
    np.testing.assert_array_equal(ours.nodes["conv"].weight, theirs.nodes["conv"].weight)
    assert ours.nodes["conv"].padding == "valid"
    np.testing.assert_array_equal(ours.nodes["inner"].nodes["fc"].weight, theirs.nodes["inner"].nodes["fc"].weight)


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"", "is no HDF5 file, which every NIR file is"),
        (b"PK\x03\x04" + bytes(500), "is no HDF5 file, which every NIR file is"),
        (None, "is damaged: "),
    ],
)
def test_what_is_no_whole_hdf5_file(tmp_path, good, content, sentence):
    path = tmp_path / "bad.nir"
    path.write_bytes(good.read_bytes()[:5000] if content is None else content)
    with pytest.raises(ImportingError, match=re.escape(sentence)) as raised:
        read_nir(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ImportingError, match="is not there"):
        read_nir(tmp_path / "none.nir")
    with pytest.raises(ImportingError, match="a folder, not a regular file"):
        read_nir(tmp_path)


def test_a_file_on_which_the_library_does_not_end(good, monkeypatch):
    monkeypatch.setattr(hdf5_child, "SECONDS", 0.0)
    monkeypatch.setattr(hdf5_child, "_BYTES_PER_SECOND", 2**60)
    with pytest.raises(ImportingError, match="reading it did not end within 0 seconds"):
        read_nir(good)


def test_a_reader_that_breaks_off(good, monkeypatch):
    monkeypatch.setattr(hdf5_child.sys, "executable", "/bin/false")
    with pytest.raises(ImportingError, match="the HDF5 library broke off reading it"):
        read_nir(good)


def _link(group, secret):
    group["weight"] = h5py.SoftLink("/node/nodes")


def _external_link(group, secret):
    group["weight"] = h5py.ExternalLink(str(secret), "/")


def _external_data(group, secret):
    group.create_dataset("weight", shape=(4,), dtype="f8", external=[(str(secret), 0, 32)])


def _virtual(group, secret):
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(secret), "data", shape=(4,))
    group.create_virtual_dataset("weight", layout)


def _huge(group, secret):
    group.create_dataset("weight", shape=(2**31, 2**10), dtype="f8", chunks=(1024, 1024))


def _claimed(group, secret):
    group.create_dataset("weight", shape=(2**26,), dtype="f4", chunks=(2**20,))


def _piece(group, secret):
    group.create_dataset("weight", data=np.zeros(1), maxshape=(None,), chunks=(2**22,))


def _packed_twice(group, secret):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1024,))
    plist.set_deflate(9)
    plist.set_deflate(9)
    space = h5py.h5s.create_simple((1024,))
    h5py.h5d.create(group.id, b"weight", h5py.h5t.NATIVE_DOUBLE, space, plist)


def _reference(group, secret):
    group.create_dataset("weight", data=np.array([group.ref]), dtype=h5py.ref_dtype)


def _compound(group, secret):
    group.create_dataset("weight", data=np.zeros(2, np.dtype([("a", "f8")])))


def _loop(group, secret):
    group["self"] = group


def _empty(group, secret):
    group.create_dataset("weight", data=h5py.Empty("f8"))


def _deep(group, secret):
    for _ in range(20):
        group = group.create_group("deeper")


def _names(group, secret):
    group.create_dataset("edges", shape=(300_000, 2), dtype=h5py.string_dtype(), chunks=(1000, 2))


def _long_names(group, secret):
    group.create_dataset("edges", data=[["x" * 2**20, "y" * 2**20]] * 10, dtype=h5py.string_dtype())


HOSTILE = {
    _link: "/weight is a link, and NIR files hold their data themselves",
    _external_link: "/weight is a link, and NIR files hold their data themselves",
    _external_data: "/weight takes its data from other files",
    _virtual: "/weight takes its data from other files",
    _huge: "and at most 1073741824 are read",
    _claimed: "/weight claims 268435456 bytes, of which the file holds 0",
    _piece: "/weight has 8 bytes in pieces of 33554432",
    _packed_twice: "/weight is packed more than once",
    _reference: "/weight is of the type object, and only numbers and text are read",
    _compound: "and only numbers and text are read",
    _loop: "/self is in the file twice under two names",
    _empty: "/weight is empty, without even a shape",
    _deep: "groups deep, and at most 16 are read",
    _names: "/edges brings the file to 600000 names, and at most 200000 are read",
    _long_names: "/edges brings the file to more than 16777216 letters of text",
}


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda spoil: spoil.__name__)
def test_what_could_harm_is_refused_before_it_is_read(tmp_path, spoil):
    secret = tmp_path / "secret"
    with h5py.File(secret, "w") as other:
        other["data"] = np.zeros(4)
    with h5py.File(tmp_path / "bad.nir", "w") as file:
        spoil(file.create_group("node"), secret)
    with h5py.File(tmp_path / "bad.nir") as file, pytest.raises(ImportingError, match=re.escape(HOSTILE[spoil])):
        walk = hdf5.Walk()
        walk.read(walk.child(file, "node", "node"), "node")


def test_the_sentence_of_a_hostile_file_names_it(tmp_path):
    path = tmp_path / "bad.nir"
    with h5py.File(path, "w") as file:
        file.create_group("node")["weight"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ImportingError, match=re.escape(f"{path}: node/weight is a link")):
        read_nir(path)


def _graph(**nodes):
    everything = {"input": {"type": "Input", "shape": np.array([4])}, "output": {"type": "Output"}, **nodes}
    return {"type": "NIRGraph", "nodes": everything, "edges": np.array([["input", "output"]], object)}


WRONG = {
    "a Conv2d without bias and weight": _graph(
        a={"type": "Conv2d", "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    ),
    "types that NIR does not have: a (Sigmoid), b (Relu)": _graph(a={"type": "Sigmoid"}, b={"type": "Relu"}),
    "a is a Linear and has note, which no Linear has": _graph(a={"type": "Linear", "weight": np.eye(2), "note": "x"}),
    "a does not say its type": _graph(a={"weight": np.eye(2)}),
    "a has a weight of NaN or infinity": _graph(a={"type": "Linear", "weight": np.full((2, 2), np.inf)}),
    "a has a weight that is text": _graph(a={"type": "Linear", "weight": "eye"}),
    "a has a weight with nothing in it": _graph(a={"type": "Linear", "weight": np.zeros((0, 3))}),
    "begins with a node of the type 'Input'": {"type": "Input", "shape": np.array([4])},
    "has no nodes in its graph": {"type": "NIRGraph", "nodes": {}, "edges": np.zeros((0, 2), object)},
    "the edges of the graph are no pairs of names": {**_graph(), "edges": np.zeros((2, 2))},
    "a has metadata that is no group of values": _graph(a={"type": "Scale", "scale": np.ones(2), "metadata": "x"}),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong_fields_are_named(tmp_path, sentence):
    path = tmp_path / "wrong.nir"
    with pytest.raises(ImportingError, match=re.escape(sentence)) as raised:
        nir_fields.check(WRONG[sentence], path)
    assert str(raised.value).startswith(str(path))


def test_too_many_nodes(tmp_path, monkeypatch):
    monkeypatch.setattr(nir_fields, "MOST_NODES", 3)
    wrong = _graph(a={"type": "Scale", "scale": np.ones(4)}, b={"type": "Scale", "scale": np.ones(4)})
    with pytest.raises(ImportingError, match="has 4 nodes, and at most 3 are read"):
        nir_fields.check(wrong, tmp_path)
