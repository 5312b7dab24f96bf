# Source of the notebook of a package, in cells; see fpga/deployment/notebook.py. NAME and BOARD are put in there.
# ruff: noqa

# %% [markdown]
# # NAME on BOARD
#
# Classifies images on the accelerator, and shows latency, throughput and power as its counters and the board's
# sensors measure them. Open it in the folder of the deployment: the driver lies beside it.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

here = Path.cwd()
sys.path.insert(0, str(here / "site"))
from spikefold_driver import Accelerator

# %% [dma]
accelerator = Accelerator.open(here)
accelerator.self_test()

# %% [uart]
# The serial port of the board, such as /dev/ttyUSB0.
import os

accelerator = Accelerator.open(here, port=os.environ.get("SPIKEFOLD_PORT", "/dev/ttyUSB0"))
accelerator.self_test()

# %% [markdown]
# ## Classify
#
# `accelerator.classify` takes an array (uint8), a picture, or a folder of pictures.

# %%
golden = np.load(here / "golden.npz", allow_pickle=False)
images = golden["images"]
found = accelerator.classify(images[:8])

shown = images[:8] if images.ndim == 4 else images[:8].max(axis=1)
figure, places = plt.subplots(1, len(shown), figsize=(2 * len(shown), 2.4))
for place, image, name in zip(np.atleast_1d(places), shown, found.names):
    picture = image if image.shape[-1] == 3 else image.sum(axis=-1)
    place.imshow(picture, cmap="gray")
    place.set_title(name)
    place.axis("off")

# %% [markdown]
# All golden images: the accelerator's logits are those of ONNX Runtime, bit for bit.

# %%
logits = accelerator.classify(images).logits
equal = (logits == golden["logits"]).all()
print("equal to ONNX Runtime:", bool(equal))
if "labels" in golden.files:
    print(f"accuracy on {len(images)} images of the test set: {(logits.argmax(axis=1) == golden['labels']).mean():.4f}")

# %% [markdown]
# ## Latency and throughput
#
# The accelerator counts clock cycles: latency from the first word of an image to its last logit, interval between
# images that follow each other. The dashed line is what the simulation of the design says.

# %%
description = accelerator.description
sizes = [1, 2, 4, 8, 16, 32]
measured = [accelerator.measure(np.resize(images, (size, *images.shape[1:]))) for size in sizes]
to_us = 1 / description.clock_mhz

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
left.plot(sizes, [m.latency * to_us for m in measured], "o-", label="latency")
left.plot(sizes, [1e6 * m.host_seconds / m.frames for m in measured], "s-", label="time an image, as Python sees it")
left.axhline(description.latency * to_us, linestyle="--", color="gray", label="latency simulated")
left.set_xlabel("images in a batch")
left.set_ylabel("microseconds")
left.set_yscale("log")
left.legend()
right.plot(sizes, [m.host_frames_per_second for m in measured], "s-", label="as Python sees it")
counted = [(m.frames, m.frames_per_second) for m in measured if m.frames_per_second]
if counted:
    right.plot(*zip(*counted), "o-", label="accelerator")
right.set_xlabel("images in a batch")
right.set_ylabel("images a second")
right.set_yscale("log")
right.legend()
measured[-1]

# %% [dma]
# Power of the board's rails, idle and while it classifies.
idle = accelerator.transport.read_power()
busy = accelerator.measure(frames=256).power
if idle and busy:
    rails = sorted(set(idle) & set(busy))
    places = np.arange(len(rails))
    plt.figure(figsize=(8, 3.6))
    plt.bar(places - 0.2, [idle[rail] for rail in rails], 0.4, label="idle")
    plt.bar(places + 0.2, [busy[rail] for rail in rails], 0.4, label="classifying")
    plt.xticks(places, rails, rotation=45, ha="right")
    plt.ylabel("watts")
    plt.legend()
else:
    print("this board has no power sensors that PYNQ reads")

# %%
accelerator.close()
