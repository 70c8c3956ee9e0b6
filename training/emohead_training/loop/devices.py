"""Several processes, one per device: launching, equal starting weights, averaged gradients.

Gradients are averaged and clipped right before an optimiser's step, for every stage alike; tasks
call their networks directly, so nothing is wrapped. Who calls: ``driver.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from emohead_training.loop.config import RunConfig

__all__ = ["launched", "prepared", "shared_decision", "synchronise"]


def launched(run: RunConfig) -> Fabric:
    """Fabric on the run's devices, with one process for each."""
    fabric = Fabric(
        accelerator=run.device,
        devices=run.devices,
        precision=run.precision,  # type: ignore[arg-type]
    )
    if run.devices > 1:
        fabric.launch()
    return fabric


@torch.no_grad()
def synchronise(fabric: Fabric, tensors: Iterable[Tensor]) -> None:
    """Give every process the first one's values."""
    if fabric.world_size > 1:
        for tensor in tensors:
            tensor.copy_(fabric.broadcast(tensor))


def shared_decision(fabric: Fabric, decision: bool) -> bool:
    """Return the first process's decision: clocks differ, and all must stop at the same step."""
    return decision if fabric.world_size == 1 else bool(fabric.broadcast(decision))


@contextmanager
def prepared(
    fabric: Fabric, optimizers: Mapping[str, Optimizer], clip_norms: Mapping[str, float]
) -> Iterator[None]:
    """Average and clip gradients before each step of the optimisers while the context lasts."""

    def hook_of(name: str) -> Any:
        def before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            if fabric.world_size > 1:
                _average(fabric, trained)
            if name in clip_norms:
                nn.utils.clip_grad_norm_(trained, clip_norms[name])

        return before_step

    hooks = [o.register_step_pre_hook(hook_of(name)) for name, o in optimizers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _average(fabric: Fabric, trained: list[Tensor]) -> None:
    """Replace gradients by their mean over all processes; a missing one counts as zero."""
    with torch.no_grad():
        own = [p.grad is not None for p in trained]
        parts = [p.grad if p.grad is not None else torch.zeros_like(p) for p in trained]
        packed = torch.cat([g.reshape(-1).float() for g in parts] + [parts[0].new_tensor(own)])
        mean = fabric.all_reduce(packed, reduce_op="mean")
        counts = mean[len(mean) - len(trained) :].tolist()
        start = 0
        for parameter, count in zip(trained, counts, strict=True):
            values = mean[start : start + parameter.numel()].view(parameter.shape)
            start += parameter.numel()
            if count > 0:
                parameter.grad = values.to(parameter.dtype).clone()
