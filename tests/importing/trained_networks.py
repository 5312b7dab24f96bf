"""Small networks of snnTorch and SpikingJelly, as their users write them, trained on scikit-learn's digits."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from spikingjelly.activation_based import functional as jelly
from spikingjelly.activation_based import layer, neuron, surrogate
from torch import nn
from torch.nn import functional

T = 4
SCALE = 1 / 16


@cache
def digits():
    """Training images uint8 [N, 8, 8, 1] of 0 to 16, labels, test images, labels."""
    data = load_digits()
    images, labels = data.images.astype(np.uint8)[..., None], data.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:1437], order[1437:]
    return images[train], labels[train], images[test], labels[test]


def tensor(images):
    """Images as these networks take them, float32 [N, 1, 8, 8]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() * SCALE


class SnnTorchNet(nn.Module):
    """One step layers, and a forward that loops; ``convolutional`` or an MLP."""

    def __init__(self, snn, convolutional: bool, beta: float, reset: str):
        super().__init__()
        self.convolutional = convolutional
        self.first = nn.Conv2d(1, 12, 3, padding=1) if convolutional else nn.Linear(64, 64)
        self.lif1 = snn.Leaky(beta=beta, reset_mechanism=reset)
        self.second = nn.Linear(12 * 16 if convolutional else 64, 10)
        self.lif2 = snn.Leaky(beta=beta, reset_mechanism=reset)

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes = []
        for _ in range(T):
            spk1, mem1 = self.lif1(self.first(x if self.convolutional else x.flatten(1)), mem1)
            if self.convolutional:
                spk1 = functional.max_pool2d(spk1, 2).flatten(1)
            spk2, mem2 = self.lif2(self.second(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


class JellyNet(nn.Module):
    """Multi-step layers, the last a matrix; ``convolutional`` with batch norm and average pooling, or an MLP."""

    def __init__(self, convolutional: bool, leaky: bool, v_reset: float | None):
        super().__init__()
        options = {"v_reset": v_reset, "surrogate_function": surrogate.ATan(), "detach_reset": True}

        def neurons():
            return neuron.LIFNode(tau=2.0, **options) if leaky else neuron.IFNode(**options)

        if convolutional:
            front = [
                layer.Conv2d(1, 12, 3, padding=1, bias=False),
                layer.BatchNorm2d(12),
                neurons(),
                layer.AvgPool2d(2),
            ]
            front += [layer.Flatten(), layer.Linear(12 * 16, 32), neurons()]
        else:
            front = [layer.Flatten(), layer.Linear(64, 64), neurons(), layer.Linear(64, 32), neurons()]
        self.layers = nn.Sequential(*front, layer.Linear(32, 10))
        jelly.set_step_mode(self, "m")

    def forward(self, x):
        jelly.reset_net(self)
        return self.layers(x.unsqueeze(0).repeat(T, 1, 1, 1, 1))


def train(net, epochs: int = 6):
    """The net, trained on the training images by cross entropy of its outputs' sum over the steps; seeded."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()
    images, labels, _, _ = digits()
    pixels, targets = tensor(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(targets)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(net(pixels[batch]).sum(0), targets[batch]).backward()
            optimizer.step()
    return net.eval()


def logits(net, images):
    """What the framework makes of images: outputs summed over the steps, [N, 10]."""
    with torch.no_grad():
        return net(tensor(images)).sum(0).numpy()
