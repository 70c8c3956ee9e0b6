"""Arithmetic cost of a network.

Who calls: ``packing.py``, for the manifest. Not here: time, which depends on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emohead.contract import StageSpec, sample_inputs

if TYPE_CHECKING:
    from torch import nn

__all__ = ["count_macs"]


def count_macs(spec: StageSpec, module: nn.Module) -> int:
    """Count the multiply-accumulates of convolutions and matrix products at opt size.

    Parameters
    ----------
    spec : StageSpec
        Contract; gives the sample inputs.
    module : torch.nn.Module
        The network.

    Returns
    -------
    int
        Of one run; recurrent layers, sampling and element-wise operations are not counted.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    feed = [torch.from_numpy(array) for array in sample_inputs(spec).values()]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*feed)
    return int(counter.get_total_flops()) // 2
