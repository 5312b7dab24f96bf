"""The networks of zoo/ are whole and run, and commands on them work on copies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from codegen import zoo
from codegen.cli.main import main
from codegen.digests import file_digest
from codegen.errors import ZooError
from codegen.results import OnnxResult
from codegen.run_folder import RunFolder
from codegen.run_inputs import load_test_set
from codegen.verify.onnx_runtime import load_network
from codegen.zoo import kept_networks, open_run
from fpga.__main__ import main as fpga_main
from sca_train.class_names import class_names, network_metadata
from sca_train.configured import load_config
from sca_train.errors import TrainError
from sca_train.pruning.compact import load_compact, parameter_count

ZOO = Path(__file__).parents[2] / "zoo"
SMALLEST = min(ZOO.glob("*/compact.safetensors"), key=lambda path: path.stat().st_size).parent


@pytest.mark.parametrize("run", sorted(path.parent for path in ZOO.glob("*/config.toml")), ids=lambda run: run.name)
def test_a_kept_network_is_whole(run: Path) -> None:
    config, network = load_compact(run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert parameter_count(network) == metrics["params"]["compact"]
    assert {layer.spec.name: layer.spec.channels for layer in network.spiking_layers()} == {
        name: left for name, (_, left) in metrics["channels"].items()
    }
    assert (load_config(run / "config.toml").ratio, config.name) == (config.ratio, run.name)
    images = np.random.default_rng(0).integers(0, 256, (4, *network.input_shape), dtype=np.uint8)
    model = load_network(run / "model.onnx")
    logits = model.logits(images)
    assert logits.shape == (4, network.classes)
    assert len(np.unique(logits, axis=0)) > 1
    assert list(model.properties.class_names) == metrics["classes"] == list(class_names(run))
    onnx_result = run / "results" / "onnx.json"
    if onnx_result.exists():
        measured = json.loads(onnx_result.read_text())
        assert measured["model_sha256"] == file_digest(run / "model.onnx")
        assert measured["compact_sha256"] == file_digest(run / "compact.safetensors")
        assert measured["accuracy"] is not None
        assert OnnxResult.load(RunFolder(run)) is not None


def test_the_zoo_lists_its_networks() -> None:
    listed = (ZOO / "README.md").read_text()
    assert all(f"| `{path.parent.name}` |" in listed for path in ZOO.glob("*/config.toml"))
    assert set(kept_networks()) == {path.parent.name for path in ZOO.glob("*/config.toml")}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a zoo of one network, called net, and the shipped images; it is the working folder."""
    root = tmp_path / "checkout"
    shutil.copytree(SMALLEST, root / "zoo" / "net")
    shutil.copytree(ZOO / "images", root / "zoo" / "images")
    monkeypatch.setattr(zoo, "ZOO", root / "zoo")
    monkeypatch.setattr(zoo, "COPIES", root / "runs" / "zoo")
    monkeypatch.setattr(zoo, "IMAGES", root / "zoo" / "images")
    monkeypatch.chdir(root)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("given", ["zoo/net", "runs/zoo/net", "zoo/../zoo/net/"])
def test_first_use_makes_a_copy_and_says_so_once(checkout: Path, capsys, given: str) -> None:
    before = contents(checkout / "zoo")
    run = open_run(Path(given))
    assert run.path == Path("runs/zoo/net") and run.name == "zoo/net"
    assert capsys.readouterr().out == "runs/zoo/net: copied from zoo/net\n"
    copied = contents(run.path)
    assert json.loads(copied.pop("zoo.json"))["network"] == "zoo/net"
    assert copied == contents(checkout / "zoo" / "net")
    (run.path / "hls").mkdir()
    assert open_run(checkout / given) == run
    assert capsys.readouterr().out == ""
    assert (run.path / "hls").is_dir() and contents(checkout / "zoo") == before


def test_a_changed_network_is_copied_anew(checkout: Path, capsys) -> None:
    run = open_run(Path("zoo/net"))
    (run.path / "hls").mkdir()
    capsys.readouterr()
    for change in ("write", "add"):
        if change == "write":
            with (checkout / "zoo" / "net" / "metrics.json").open("a") as stream:
                stream.write("\n")
        else:
            (checkout / "zoo" / "net" / "more.txt").write_text("more")
        open_run(Path("zoo/net"))
        said = "runs/zoo/net: copied anew, zoo/net has changed; what was made of the older one is gone\n"
        assert capsys.readouterr().out == said
        assert not (run.path / "hls").exists()
    assert (run.path / "more.txt").exists()


def test_a_run_that_is_no_copy_is_left_alone(checkout: Path) -> None:
    (checkout / "runs" / "zoo" / "net").mkdir(parents=True)
    with pytest.raises(ZooError, match=r"runs/zoo/net is no copy of zoo/net .*; rename or remove it"):
        open_run(Path("zoo/net"))
    (checkout / "runs" / "zoo" / "mine").mkdir()
    assert open_run(Path("runs/zoo/mine")) == RunFolder(Path("runs/zoo/mine"))
    assert open_run(Path("runs/other")) == RunFolder(Path("runs/other"))


@pytest.mark.parametrize("given", ["zoo/none", "runs/zoo/none", "zoo/images"])
def test_an_unknown_network_names_the_known_ones(checkout: Path, capsys, given: str) -> None:
    assert main(["report", given]) == 2
    name = Path(given).name
    assert capsys.readouterr().err == f"error: there is no kept network zoo/{name}; there are net\n"
    assert not (checkout / "runs").exists()


@pytest.mark.parametrize("command", ["csim", "rtlsim", "synth"])
def test_a_missing_stage_names_its_command(checkout: Path, capsys, command: str) -> None:
    assert main([command, "zoo/net"]) == 2
    assert "run `make hls RUN=zoo/net` first" in capsys.readouterr().err


def test_vendor_builds_of_a_kept_network(checkout: Path, capsys) -> None:
    assert fpga_main(["bitstream", "zoo/net"]) == 2
    assert "run folder runs/zoo/net has no rtl; run `make hls RUN=zoo/net` first" in capsys.readouterr().err
    assert fpga_main(["deploy", "zoo/none"]) == 2
    assert "there is no kept network zoo/none" in capsys.readouterr().err


def test_without_the_data_set_the_shipped_images_are_measured(checkout: Path, capsys) -> None:
    """Export, report and classify of a kept network whose data set is nowhere."""
    assert main(["export", "zoo/net"]) == 0
    output = capsys.readouterr().out
    assert "the data set of zoo/net (" in output and "is not here, so 20 images of zoo/images take its place" in output
    assert "of 20 shipped images right (drawings: no test accuracy)" in output
    run = RunFolder(checkout / "runs" / "zoo" / "net")
    result = json.loads((run.path / "results" / "onnx.json").read_text())
    assert result["accuracy"] is None and result["images"] == 20
    assert 0 <= result["shipped_accuracy"] <= 1
    assert main(["report", "zoo/net"]) == 0
    report = json.loads((run.path / "report.json").read_text())
    assert report["accuracy"]["onnx"] is None and report["images"]["onnx"] == 20
    assert report["accuracy"]["float"] == json.loads((run.path / "metrics.json").read_text())["accuracy"]
    capsys.readouterr()
    assert main(["classify", "zoo/net", "--image", "zoo/images/cat-1.png"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "zoo/images/cat-1.png: by onnx (ONNX Runtime)"
    assert sorted(line.split()[0] for line in shown[1:]) == sorted(class_names(run.path))


def test_shipped_images_have_the_classes_of_their_names(checkout: Path) -> None:
    run = open_run(Path("zoo/net"))
    names = class_names(run.path)
    tests = load_test_set(run)
    assert tests.shipped and tests.images.shape == (20, 32, 32, 3)
    assert tests.labels.tolist() == [*range(10), *range(10)]
    frog = np.asarray(Image.open(ZOO / "images" / "frog-2.png"))
    np.testing.assert_array_equal(tests.images[10 + names.index("frog")], frog)


def write_folders(root: Path, classes: tuple[str, ...]) -> Path:
    for split in ("train", "test"):
        for number, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32), (20 * number, 7, 7)).save(root / split / name / "0.png")
    return root


def trained_on(run: Path, dataset: str) -> None:
    """Let a run say that it was trained on another data set."""
    file, network = run / "config.toml", run / "compact.safetensors"
    file.write_text(file.read_text().replace('dataset = "folder"', f'dataset = "{dataset}"'))
    about = network_metadata(run)
    about["config"]["dataset"] = dataset
    save_file(load_file(network), network, {"network": json.dumps(about)})


def test_the_data_set_where_it_is_named(checkout: Path) -> None:
    run = open_run(Path("zoo/net"))
    names = class_names(run.path)
    data = write_folders(checkout / "data", names)
    tests = load_test_set(run, data)
    assert not tests.shipped and tests.labels.tolist() == list(range(10))
    assert tests.images[:, 0, 0, 0].tolist() == [20 * number for number in range(10)]
    # CIFAR-10 as class folders is the same data set; and a place that config.toml names is looked at.
    trained_on(run.path, "cifar10")
    assert load_test_set(run, data).labels.tolist() == list(range(10))
    with pytest.raises(TrainError, match="there is no CIFAR-10 in"):
        load_test_set(run, checkout / "nowhere")
    with pytest.raises(TrainError, match=r"has other classes \(2, such as 'airplane'\) than zoo/net was trained for"):
        load_test_set(run, write_folders(checkout / "two", ("cat", "dog")))


def test_a_network_of_other_classes_needs_its_data(checkout: Path) -> None:
    run = open_run(Path("zoo/net"))
    for path in zoo.IMAGES.glob("*.png"):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(ZooError, match="none of the images in zoo/images is of its classes; name it with DATA=path"):
        load_test_set(run)


def test_a_run_of_ones_own_is_not_given_shipped_images(checkout: Path) -> None:
    shutil.copytree(checkout / "zoo" / "net", checkout / "runs" / "own")
    with pytest.raises(TrainError, match="there is no data at"):
        load_test_set(RunFolder(checkout / "runs" / "own"))


@pytest.mark.slow
def test_a_kept_network_goes_through_every_stage(checkout: Path, capsys) -> None:
    """Real sources, the real C++ and the real RTL of the smallest kept network, on shipped images."""
    before = contents(checkout / "zoo")
    assert main(["hls", "zoo/net", "--lut-share", "0.2"]) == 0
    assert main(["csim", "zoo/net"]) == 0
    assert main(["rtlsim", "zoo/net", "--images", "3"]) == 0
    assert main(["report", "zoo/net"]) == 0
    report = json.loads((checkout / "runs" / "zoo" / "net" / "report.json").read_text())
    assert report["mismatches"] == {"csim": 0, "rtl": 0}
    assert (report["images"]["csim"], report["images"]["rtl"]) == (20, 3)
    assert (report["accuracy"]["csim"], report["accuracy"]["rtl"]) == (None, None)
    counts = {}
    for backend in ("onnx", "csim", "rtl"):
        capsys.readouterr()
        assert main(["classify", "zoo/net", "--image", "zoo/images/truck-1.png", "--backend", backend]) == 0
        counts[backend] = capsys.readouterr().out.splitlines()[1:]
    assert counts["csim"] == counts["rtl"] == counts["onnx"] and len(counts["onnx"]) == 10
    assert contents(checkout / "zoo") == before
