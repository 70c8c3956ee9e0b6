"""A recurrent renderer whose frames can be foretold: what it is given, added up."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from emohead.contract import Dim, StageSpec, StateSpec, TensorSpec, fixed
from emohead.runner import Runner

BATCH = Dim("batch", 1, 1, 16)
POISON = 99.0


def _tensor(name: str, *lengths: int) -> TensorSpec:
    dims = tuple(fixed(f"axis{i}", n) for i, n in enumerate(lengths))
    return TensorSpec(name=name, dims=(BATCH, *dims), unit="1", doc="toy")


SPEC = StageSpec(
    name="toy",
    version=1,
    inputs=(_tensor("points", 68, 2), _tensor("face", 1), _tensor("sum", 1)),
    outputs=(_tensor("picture", 3, 2, 2), _tensor("sum_out", 1)),
    state=(StateSpec("sum", "sum_out"),),
)


class ToyRunner(Runner):
    """Adds face and landmarks to the state; raises when a face is poison or the sum reaches it."""

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[float]] = []
        """Faces of every step."""

    def _run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        self.gate.wait(10)
        if (feed["face"] == POISON).any():
            raise RuntimeError("poison")
        self.batches.append(feed["face"][:, 0].tolist())
        total = feed["sum"] + feed["face"] + feed["points"][:, 0, :1]
        picture = np.broadcast_to(total[:, :, None, None] / 255, (len(total), 3, 2, 2))
        return {"picture": picture.astype(np.float32), "sum_out": total}


def features(face: float) -> tuple[np.ndarray, ...]:
    return (np.full((1, 1), face, np.float32),)


def points(values: list[int]) -> np.ndarray:
    rows = np.zeros((len(values), 68, 2), np.float32)
    rows[:, 0, 0] = values
    return rows


def foretold(face: float, values: list[int]) -> list[int]:
    """First byte of every frame."""
    return [int(v) for v in np.minimum(np.cumsum(np.asarray(values) + face), 255)]
