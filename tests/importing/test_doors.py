"""Modules of snnTorch and SpikingJelly, and NIR files through their own importers: traces equal to theirs."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional as jelly
from spikingjelly.activation_based import layer, neuron, nir_exchange, surrogate
from torch import nn
from torch.nn import functional

from codegen.errors import ImportingError
from codegen.importing.doors import from_snntorch, from_spikingjelly
from codegen.importing.interpreter import run, traces
from codegen.importing.lowering import lower
from codegen.importing.nir_file import read_nir
from codegen.importing.options import NirOptions

snntorch = pytest.importorskip("snntorch")
import_from_nir = pytest.importorskip("snntorch.import_nir").import_from_nir

T = 5
SCALE = 0.25


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 17, (4, 8, 8, 1)).astype(np.uint8)


def _tensor(images, dtype=torch.float32):
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(dtype) * SCALE


def _dyadic(net):
    """Weights of few bits, so that float32 makes the same sums in any order."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randint(-8, 9, parameter.shape, generator=generator) / 16)
    return net


class Looping(nn.Module):
    """As snnTorch's tutorials have it: the forward goes over the steps and collects spikes and potentials."""

    def __init__(self, beta, **reset):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.lif1 = snntorch.Leaky(beta=beta, **reset)
        self.fc = nn.Linear(96, 10)
        self.lif2 = snntorch.Leaky(beta=beta, threshold=0.5, **reset)

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes, potentials = [], []
        for _ in range(T):
            spk1, mem1 = self.lif1(self.norm(self.conv(x)), mem1)
            spk2, mem2 = self.lif2(self.fc(functional.max_pool2d(spk1, 2).flatten(1)), mem2)
            spikes.append(spk2)
            potentials.append(torch.cat([mem1.flatten(1), mem2], dim=1))
        return torch.stack(spikes), torch.stack(potentials)


@pytest.mark.parametrize("beta", [1.0, 0.5, 0.9])
@pytest.mark.parametrize("reset, kind", [("subtract", "delayed"), ("zero", "hard")])
def test_snntorch_potentials_step_by_step(images, beta, reset, kind):
    net = _dyadic(Looping(beta, reset_mechanism=reset)).eval()
    network = from_snntorch(net, _tensor(images), input_scale=SCALE)
    with torch.no_grad():
        spikes, potentials = net(_tensor(images))
    found = traces(network, images)
    ours = np.concatenate([found[name].potential_before_reset.reshape(T, 4, -1) for name in ("lif1", "lif2")], axis=2)
    np.testing.assert_allclose(ours, potentials.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(run(network, images), spikes.sum(0).numpy())
    assert spikes.any()
    assert network.timesteps == T
    assert network.layers[0].neuron.reset == ("soft" if beta == 1 and kind == "delayed" else kind)
    assert network.layers[0].neuron.compare == "gt"
    assert (network.layers[0].pool, network.layers[0].pool_kind) == (2, "max")


def test_snntorch_subtraction_without_delay_is_soft(images):
    net = _dyadic(Looping(0.5, reset_mechanism="subtract", reset_delay=False)).eval()
    net.lif1.threshold.fill_(30.0)  # no potential reaches it twice
    net.lif2.threshold.fill_(8.0)
    network = from_snntorch(net, _tensor(images), input_scale=SCALE)
    with torch.no_grad():
        spikes, _ = net(_tensor(images))
    np.testing.assert_array_equal(run(network, images), spikes.sum(0).numpy())
    assert network.layers[0].neuron.reset == "soft"
    assert any("twice the threshold" in note for note in network.notes)


def test_snntorch_sequential_with_hidden_states_keeps_them(images):
    first, last = snntorch.Leaky(beta=0.5, init_hidden=True), snntorch.Leaky(beta=0.5, init_hidden=True, output=True)
    net = _dyadic(nn.Sequential(nn.Flatten(), nn.Linear(64, 20), first, nn.Linear(20, 10), last))
    first.mem = torch.full((4, 20), 0.125)
    network = from_snntorch(net, _tensor(images), timesteps=T, input_scale=SCALE, input_shape=(8, 8, 1))
    assert (first.mem == 0.125).all()
    assert net.training
    first.reset_mem(), last.reset_mem()
    with torch.no_grad():
        spikes = torch.stack([net(_tensor(images))[0] for _ in range(T)])
    np.testing.assert_array_equal(run(network, images), spikes.sum(0).numpy())


class Residual(nn.Module):
    """Multi-step SpikingJelly with a residual addition, average pooling and voting."""

    def __init__(self, v_reset, decay_input):
        super().__init__()
        self.conv1, self.norm1 = layer.Conv2d(1, 4, 3, padding=1, bias=False), layer.BatchNorm2d(4)
        self.spikes1 = neuron.IFNode(v_reset=v_reset)
        self.conv2, self.norm2 = layer.Conv2d(4, 4, 3, padding=1, bias=False), layer.BatchNorm2d(4)
        self.spikes2 = neuron.LIFNode(tau=2.0, v_reset=v_reset, decay_input=decay_input)
        self.pool, self.flatten = layer.AvgPool2d(2), layer.Flatten()
        self.fc, self.spikes3, self.vote = layer.Linear(64, 20), neuron.IFNode(v_reset=v_reset), layer.VotingLayer(2)
        jelly.set_step_mode(self, "m")

    def forward(self, x):
        x = x.unsqueeze(0).repeat(T, 1, 1, 1, 1)
        shortcut = self.spikes1(self.norm1(self.conv1(x)))
        x = self.spikes2(self.norm2(self.conv2(shortcut)) + shortcut)
        return self.vote(self.spikes3(self.fc(self.flatten(self.pool(x))))).mean(0)


@pytest.mark.parametrize("v_reset", [None, 0.0, -0.25])
@pytest.mark.parametrize("decay_input", [True, False])
def test_spikingjelly_potentials_step_by_step(images, v_reset, decay_input):
    net = _dyadic(Residual(v_reset, decay_input)).double().eval()
    network = from_spikingjelly(net, _tensor(images, torch.float64), input_scale=SCALE)
    for module in (net.spikes1, net.spikes2, net.spikes3):
        module.store_v_seq = True
    with torch.no_grad():
        logits = net(_tensor(images, torch.float64))
    np.testing.assert_allclose(run(network, images), logits.numpy(), rtol=1e-12)
    assert logits.any()
    rest = v_reset or 0.0
    for name, trace in traces(network, images).items():
        left = trace.potential_before_reset + rest
        threshold = 1.0
        left = np.where(trace.spikes, left - threshold if v_reset is None else rest, left)
        np.testing.assert_allclose(left, getattr(net, name).v_seq.numpy(), rtol=1e-12, atol=1e-12)
    assert network.layers[1].inputs[1].kind == "identity"
    jelly.reset_net(net)


def test_spikingjelly_frames_and_whole_map_mean():
    net = nn.Sequential(
        layer.Conv2d(2, 4, 3, stride=2, padding=1), neuron.LIFNode(), layer.AdaptiveAvgPool2d(1), layer.Flatten(),
        layer.Linear(4, 3),
    )  # fmt: skip
    net = _dyadic(net).double().eval()
    jelly.set_step_mode(net, "m")
    frames = np.random.default_rng(0).integers(0, 3, (4, T, 8, 8, 2)).astype(np.uint8)
    example = torch.from_numpy(frames).permute(1, 0, 4, 2, 3).double()
    network = from_spikingjelly(net, example, input="counts")
    assert network.timesteps == T
    assert not network.static_input
    assert network.layers[-1].global_sum
    with torch.no_grad():
        np.testing.assert_allclose(run(network, frames), net(example).sum(0).numpy(), rtol=1e-12)


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.act, self.lif = nn.Linear(64, 10), nn.ReLU(), snntorch.Synaptic(alpha=0.9, beta=0.8)
        self.last = snntorch.Leaky(beta=0.9)

    def forward(self, x):
        spk, _, _ = self.lif(torch.tanh(self.act(self.fc(x.flatten(1)))))
        return self.last(spk)[1]


def test_everything_unsupported_is_named_at_once(images):
    sentence = "act is a ReLU; tanh is torch's tanh; lif is a Synaptic; last.state is the membrane potential of last"
    with pytest.raises(ImportingError, match=re.escape(f"the snnTorch network: not supported: {sentence}")):
        from_snntorch(Wrong(), _tensor(images))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.back, self.lif = nn.Linear(64, 10), nn.Linear(10, 10), snntorch.Leaky(beta=0.9)

    def forward(self, x):
        mem, spk = self.lif.reset_mem(), torch.zeros(1, 10)
        for _ in range(3):
            spk, mem = self.lif(self.fc(x.flatten(1)) + self.back(spk), mem)
        return spk


def test_recurrence_is_named(images):
    with pytest.raises(
        ImportingError, match=r"lif_\d keeps one potential for several layers, or reads in a later step"
    ):
        from_snntorch(Recurrent(), _tensor(images)[:1])


@pytest.mark.parametrize(
    "module, sentence",
    [
        (snntorch.Leaky(beta=0.5, reset_mechanism="none", init_hidden=True), "is never reset"),
        (snntorch.Leaky(beta=0.5, inhibition=True, init_hidden=True), "has inhibition"),
        (neuron.QIFNode(), "is a QIFNode"),
        (nn.MaxPool1d(2), "is a MaxPool1d"),
        (nn.BatchNorm1d(10, track_running_stats=False), "keeps no running statistics"),
    ],
)
@pytest.mark.filterwarnings("ignore:Inhibition")
def test_what_a_module_cannot_have(images, module, sentence):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), module, neuron.IFNode())
    with pytest.raises(ImportingError, match=re.escape(f"2 {sentence}")):
        from_spikingjelly(net, _tensor(images))


def test_a_forward_that_fails_is_one_sentence(images):
    with pytest.raises(ImportingError, match="its forward failed on the example: mat1 and mat2") as raised:
        from_spikingjelly(nn.Sequential(nn.Flatten(), nn.Linear(63, 10)), _tensor(images))
    assert "\n" not in str(raised.value)


def _nir_chain(path, neurons):
    rng = np.random.default_rng(4)
    nodes = {
        "input": nir.Input(np.array([1, 8, 8])),
        "conv": nir.Conv2d(
            (8, 8), (rng.integers(-8, 9, (4, 1, 3, 3)) / 16).astype("f4"), 1, 1, 1, 1, np.zeros(4, "f4")
        ),
        "first": neurons((4, 8, 8)),
        "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 4, 4])}, 0, -1),
        "fc": nir.Affine((rng.integers(-8, 9, (10, 64)) / 16).astype("f4"), np.full(10, 0.25, "f4")),
        "second": neurons((10,)),
        "output": nir.Output(np.array([10])),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(pairwise(names)))
    nir.write(path, graph)
    return graph


def _lif(shape):
    ones = np.ones(shape, "f4")
    return nir.LIF(ones * 2e-4, ones * 2, ones * 0, ones, ones * 0)


def _if(shape):
    ones = np.ones(shape, "f4")
    return nir.IF(ones * 1e4, ones, ones * 0)


@pytest.mark.parametrize("neurons", [_if, _lif])
def test_a_file_computes_as_spikingjelly_computes_it(tmp_path, images, neurons):
    graph = _nir_chain(tmp_path / "chain.nir", neurons)
    network = lower(
        read_nir(tmp_path / "chain.nir"), NirOptions(reset="hard", compare="ge", timesteps=T, input_scale=SCALE)
    )
    theirs = nir_exchange.import_from_nir(graph, dt=1e-4)
    state, total, potentials = None, 0, []
    with torch.no_grad():
        for _ in range(T):
            step, state = theirs(_tensor(images), state)
            total = total + step
            potentials.append(state["second"][0].numpy())
    np.testing.assert_array_equal(run(network, images), total.numpy())
    trace = traces(network, images)["second"]
    left = np.where(trace.spikes, 0, trace.potential_before_reset)
    np.testing.assert_allclose(left, np.stack(potentials), rtol=1e-5, atol=1e-5)
    assert total.any()


def test_a_file_computes_as_snntorch_computes_it(tmp_path, images):
    graph = _nir_chain(tmp_path / "chain.nir", _lif)
    network = lower(read_nir(tmp_path / "chain.nir"), NirOptions(reset="hard", timesteps=T, input_scale=SCALE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = import_from_nir(graph)
    # Their importer resets to zero, and flattens the batch too: one image at a time.
    counts = []
    with torch.no_grad():
        for image in _tensor(images):
            state, total = None, 0
            for module in theirs.modules():
                if isinstance(module, snntorch.Leaky):
                    module.reset_mem()
            for _ in range(T):
                spikes, state = theirs(image[None], state)
                total = total + spikes
            counts.append(total)
    np.testing.assert_array_equal(run(network, images), torch.stack(counts).numpy())
    assert torch.stack(counts).any()


class Pooling(nn.Module):
    """A read-out of what its neurons sent in all steps, or in one of them."""

    def __init__(self, how):
        super().__init__()
        self.how, self.fc, self.lif, self.out = how, nn.Linear(64, 12), snntorch.Leaky(beta=0.5), nn.Linear(12, 10)
        _dyadic(self)

    def forward(self, x):
        mem, sent = self.lif.reset_mem(), []
        for _ in range(T):
            spikes, mem = self.lif(self.fc(x.flatten(1)), mem)
            sent.append(spikes)
        match self.how:
            case "sum":
                return self.out(torch.stack(sent).sum(0))
            case "mean":
                return self.out(torch.stack(sent).mean(0))
            case "sum of outputs":
                return torch.stack([self.out(spikes) for spikes in sent]).sum(0)
            case "loop":
                return self.out(sum(sent))
        return self.out(torch.stack(sent)[0])


@pytest.mark.parametrize("how", ["sum", "mean", "sum of outputs", "loop"])
def test_a_sum_over_time_before_the_read_out_adds_its_bias_once(how, images):
    net = Pooling(how)
    network = from_snntorch(net, _tensor(images), input_scale=SCALE)
    with torch.no_grad():
        np.testing.assert_allclose(run(network, images), net(_tensor(images)).numpy(), rtol=1e-5, atol=1e-9)
    assert not any("the module's result" in note or ".sum" in note for note in network.notes)


def test_a_result_of_one_step_is_refused(images):
    with pytest.raises(ImportingError, match="which the forward returns, is that of time step 1 of 5 alone"):
        from_snntorch(Pooling("first"), _tensor(images), input_scale=SCALE)


@pytest.mark.parametrize("timesteps", [None, 1, 9])
def test_a_forward_of_one_step_is_compared_over_one(timesteps, images):
    net = _dyadic(nn.Sequential(nn.Linear(64, 12), neuron.LIFNode(tau=2.0, v_reset=None), nn.Linear(12, 10)))
    network = from_spikingjelly(net, _tensor(images).flatten(1), timesteps=timesteps, input_scale=SCALE)
    assert network.timesteps == (timesteps or 4)
    assert not any("the module's result" in note for note in network.notes)


def _silent_surrogate():
    return nn.Sequential(nn.Linear(64, 12), neuron.IFNode(surrogate_function=surrogate.Sigmoid(spiking=False)))


@pytest.mark.parametrize(
    "net, sentence",
    [
        (
            lambda: nn.Sequential(nn.Linear(64, 12), snntorch.Leaky(beta=0.5, graded_spikes_factor=2.0)),
            "1 sends spikes times",
        ),
        (_silent_surrogate, "1 sends what its surrogate function gives"),
    ],
)
def test_what_is_sent_must_be_spikes(net, sentence):
    with pytest.raises(ImportingError, match=sentence):
        from_snntorch(net(), torch.zeros(1, 64))
