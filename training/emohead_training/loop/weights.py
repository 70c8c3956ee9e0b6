"""Networks' weights as flat tensors by name: averaging, publishing, loading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from emohead.errors import InputError
from emohead_training.loop.tensor_file import read_tensors, write_tensors

__all__ = ["Averages", "assign", "flat", "load_weights", "save_weights", "weights_path"]

WEIGHTS_FILE: Final = "weights.safetensors"


class Averages:
    """Exponential moving average of every trained weight.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
    decay : float
        Approached from below over the first steps.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in flat(modules).items()}

    @torch.no_grad()
    def update(self, modules: Mapping[str, nn.Module], step: int) -> None:
        """Take one step towards the present weights; other numbers are copied."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in flat(modules).items():
            if value.is_floating_point():
                self.values[key].lerp_(value, 1 - decay)
            else:
                self.values[key].copy_(value)


def flat(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Weights of all modules, keyed ``prefix.name``; the tensors themselves, not copies."""
    return {f"{p}.{k}": v for p, m in modules.items() for k, v in m.state_dict().items()}


@torch.no_grad()
def assign(targets: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Copy values into tensors in place, so that memory formats stay."""
    for key, target in targets.items():
        target.copy_(values[key])


def weights_path(out: Path, name: str) -> Path:
    """File with the averaged weights of a finished or running stage."""
    return out / name / WEIGHTS_FILE


def load_weights(module: nn.Module, path: Path, prefix: str) -> None:
    """Load the weights stored under `prefix` into `module`, strictly.

    Parameters
    ----------
    module : torch.nn.Module
    path : Path
        From ``weights_path``.
    prefix : str
        Key of the module among those of its stage.

    Raises
    ------
    InputError
        When the stage was not trained.
    """
    if not path.is_file():
        raise InputError(
            f"expected trained weights at {path}, found none; "
            f"run `emohead-train {path.parent.name}` with the same --out first"
        )
    head = prefix + "."
    stored = read_tensors(path)
    module.load_state_dict({k[len(head) :]: v for k, v in stored.items() if k.startswith(head)})


def save_weights(path: Path, modules: Mapping[str, nn.Module]) -> None:
    """Replace a stage's weights, for what is fitted after training."""
    write_tensors(path, flat(modules))
