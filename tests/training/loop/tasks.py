"""Tasks small enough for the loop's tests, and a program that trains one of them."""

import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.parametrizations import spectral_norm

from emohead_training.loop import Budget, RunConfig, fit


class Line:
    """Learns y = 2 x with a constant stream of batches."""

    name = "line"

    def __init__(self):
        torch.manual_seed(0)
        self.net = torch.nn.Linear(1, 1)
        self.modules = {"net": self.net}
        self.optimizers = {"all": torch.optim.Adam(self.net.parameters(), lr=0.05)}

    def batches(self, seed):
        while True:
            yield torch.linspace(-1, 1, 8)[:, None]

    def step(self, batch, step, fabric):
        loss = (self.net(batch) - 2 * batch).square().mean()
        self.optimizers["all"].zero_grad()
        fabric.backward(loss)
        self.optimizers["all"].step()
        return {"loss": loss.detach()}

    def validate(self):
        return {"weight": self.net.weight.item()}


class Scatter(Line):
    """Learns from batches that differ from process to process."""

    name = "scatter"

    def __init__(self):
        super().__init__()
        self.optimizers = {"all": torch.optim.SGD(self.net.parameters(), lr=0.1)}

    def batches(self, seed):
        rng = np.random.default_rng(seed)
        while True:
            yield torch.from_numpy(rng.normal(size=(8, 1))).float()


class Chancy:
    """Uses everything whose state a resume must bring back.

    Convolutions in channels-last format, batch statistics, dropout, a spectral norm, two
    optimisers, and chance from five generators, in the batches, the step and the validation.
    """

    name = "chancy"

    def __init__(self, pause=0.0):
        torch.manual_seed(0)
        self.pause = pause
        self.rng = np.random.default_rng(1)
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, bias=False),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.3),
            torch.nn.Conv2d(8, 1, 3),
        ).to(memory_format=torch.channels_last)
        self.critic = spectral_norm(torch.nn.Linear(16, 1))
        self.modules = {"net": self.net, "critic": self.critic}
        self.optimizers = {
            "net": torch.optim.AdamW(self.net.parameters(), lr=0.01),
            "critic": torch.optim.SGD(self.critic.parameters(), lr=0.01, momentum=0.9),
        }
        self.clip_norms = {"net": 0.5}

    def batches(self, seed):
        rng = np.random.default_rng(seed)
        while True:
            noise = torch.from_numpy(rng.normal(size=(4, 3, 8, 8))).float()
            yield noise + torch.rand(1) + random.random() + np.random.rand()  # noqa: NPY002

    def step(self, batch, step, fabric):
        time.sleep(self.pause)
        batch = batch.to(memory_format=torch.channels_last) * float(self.rng.uniform(0.5, 1.5))
        made = self.net(batch)
        loss = self.critic(made.flatten(1)).square().mean() + (made - 1).square().mean()
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        fabric.backward(loss)
        for optimizer in self.optimizers.values():
            optimizer.step()
        return {"loss": loss.detach()}

    def validate(self):
        return {"val_chance": float(torch.rand(1)) + self.rng.random() + random.random()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    devices, pause = int(sys.argv[3]), float(sys.argv[4])
    run = RunConfig(data=folder, out=folder, device="cpu", steps=steps, devices=devices)
    task = Chancy(pause) if devices == 1 else Scatter()
    fit(task, run, Budget(steps=1), checkpoint_seconds=0.0 if pause else 90.0)
