"""`python -m bench.cnv`: train FINN's CNV-w2a2 (as in brevitas_examples) on this project's images and by its recipe.

The comparison that docs/results.md needs: images, augmentation, schedule and loss of a preset of configs/, and the
topology and quantizers that FINN's published figures are of.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from brevitas_examples.bnn_pynq.models import model_with_cfg
from torch import Tensor, nn

from bench.command import positive, run_command
from sca_train.augment import training_batch
from sca_train.command_line import Parser
from sca_train.config import TrainConfig
from sca_train.configured import configured
from sca_train.data import Dataset, load_dataset
from sca_train.device import choose_device, keep_freed_memory
from sca_train.files import write_text, write_whole
from sca_train.logs import progress
from sca_train.loss import loss_sum
from sca_train.network import to_input
from sca_train.optimizer import learning_rate, make_optimizer
from sca_train.teacher import Teacher, load_teacher

CHECKPOINT = "cnv.pt"
TEST_BATCH = 250


def parser() -> Parser:
    """Which preset's recipe, how long, and where to."""
    made = Parser(prog="python -m bench.cnv", description=__doc__.splitlines()[0])
    made.add_argument(
        "--config", type=Path, default=Path("configs/vgg7.toml"), help="preset of the recipe [%(default)s]"
    )
    made.add_argument("--data", required=True, help="train/ and test/ class folders, or a tar archive of them")
    made.add_argument("--epochs", type=positive, default=60, help="[%(default)s]")
    made.add_argument("--optimizer", default="sgd", help="sgd or adamw [%(default)s]")
    made.add_argument("--lr", type=float, default=0.1, help="peak learning rate [%(default)s]")
    made.add_argument("--teacher", default="", help="finished run whose logits are learned beside the labels")
    made.add_argument("--distill", type=float, default=0.5, help="its weight in the loss [%(default)s]")
    made.add_argument("--weight-decay", type=float, default=0.0, help="of the clipped weights [%(default)s]")
    made.add_argument("--train-images", type=int, default=0, help="train on so many images only (0: all)")
    made.add_argument("--run", type=Path, default=Path("runs/cnv-w2a2"), help="folder of checkpoint and cnv.json")
    return made


def accuracy(network: nn.Module, dataset: Dataset, device: torch.device) -> float:
    """Fraction of the test images that are classified rightly."""
    network.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(dataset.test_labels), TEST_BATCH):
            images = torch.from_numpy(dataset.test_images[start : start + TEST_BATCH])
            found = network(to_input(images, device)).argmax(1).cpu()
            right += int((found == torch.from_numpy(dataset.test_labels[start : start + TEST_BATCH])).sum())
    return right / len(dataset.test_labels)


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    dataset: Dataset,
    teacher: Teacher | None,
    device: torch.device,
    epoch: int,
) -> float:
    """One pass over the training images; the mean loss."""
    network.train()
    order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
    shuffled = torch.randperm(len(dataset.train_labels), generator=order).numpy()
    batches = [shuffled[start : start + config.batch_size] for start in range(0, len(shuffled), config.batch_size)]
    total = torch.zeros((), device=device)
    with progress(len(shuffled), f"epoch {epoch + 1}/{config.epochs}") as bar:
        for number, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, epoch, number / len(batches))
            images, labels = training_batch(dataset, batch, epoch, config, order, device)
            x = to_input(images, device)
            taught = teacher.logits(x) if teacher else None
            loss: Tensor = loss_sum(config, network(x), labels, taught) / len(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            network.clip_weights(-1, 1)  # type: ignore[operator]
            total += loss.detach() * len(batch)
            bar.update(len(batch))
    return float(total) / len(shuffled)


def main(arguments: list[str] | None = None) -> int:
    """Train to the end, continuing from the checkpoint of the same folder; prints the accuracy after each epoch."""
    given = parser().parse_args(arguments)
    config = configured(
        given.config,
        {
            "data": given.data, "epochs": given.epochs, "rate_epochs": 0, "lr": given.lr, "finetune": 0,
            "optimizer": given.optimizer, "weight_decay": given.weight_decay, "train_images": given.train_images,
            "teacher": given.teacher, "distill": given.distill,
        },
    )  # fmt: skip
    keep_freed_memory()
    device = choose_device(config)
    dataset = load_dataset(config)
    teacher = load_teacher(config, given.run, dataset, device)
    torch.manual_seed(config.seed)
    network, _ = model_with_cfg("CNV_2W2A", pretrained=False)
    network.to(device)
    optimizer = make_optimizer(network, config)
    given.run.mkdir(parents=True, exist_ok=True)
    history: list[dict[str, float]] = []
    if (given.run / CHECKPOINT).exists():
        saved = torch.load(given.run / CHECKPOINT, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        history = saved["history"]
    for epoch in range(len(history), config.epochs):
        started = time.monotonic()
        loss = train_epoch(network, optimizer, config, dataset, teacher, device, epoch)
        found = accuracy(network, dataset, device)
        history.append({"loss": loss, "accuracy": found, "seconds": time.monotonic() - started})
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "history": history}
        write_whole(given.run / CHECKPOINT, lambda aside, state=state: torch.save(state, aside))
        entry = history[-1]
        print(f"epoch {epoch + 1:3}/{config.epochs}  loss {loss:.4f}  test {entry['accuracy']:.4f}", flush=True)
    weights = sum(value.numel() for value in network.parameters() if value.dim() > 1)
    result = {
        "accuracy": history[-1]["accuracy"], "images": len(dataset.test_labels), "weights": weights,
        "seconds": float(np.sum([entry["seconds"] for entry in history])), "history": history,
    }  # fmt: skip
    write_text(given.run / "cnv.json", json.dumps(result, indent=2) + "\n")
    print(f"CNV-w2a2: {result['accuracy']:.4f} of {result['images']} test images, {weights} weights")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_command(main))
