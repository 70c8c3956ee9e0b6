"""The one training loop: budget, checkpoints, exact resume, averaged weights, several devices.

A stage gives a ``Task``; ``fit`` drives it through Lightning Fabric. Checkpoints are safetensors
and JSON, never pickle. Not here: losses and data.
"""

from emohead_training.loop.config import Budget, Progress, RunConfig, Task
from emohead_training.loop.driver import fit
from emohead_training.loop.rates import falling, set_rate
from emohead_training.loop.weights import load_weights, save_weights, weights_path

__all__ = [
    "Budget",
    "Progress",
    "RunConfig",
    "Task",
    "falling",
    "fit",
    "load_weights",
    "save_weights",
    "set_rate",
    "weights_path",
]
