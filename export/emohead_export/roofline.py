"""How fast a network could be: its cost over a machine's ceilings (Williams et al., 2009).

Pure arithmetic on ``cost.py`` and data sheets. Who calls: ``roofline_page.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from emohead_export.cost import GraphCost

__all__ = ["DATA_SHEETS", "Ceiling", "bound_ms", "predicted_ms"]


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What a machine reaches at best."""

    name: str
    """Machine and arithmetic."""
    gflops: float
    """Floating-point operations, GFLOP/s; a multiply-add counts two."""
    bandwidth_gb_s: float
    """Memory, GB/s."""
    bytes_per_number: int = 4
    """Of weights and intermediate values: 4 in fp32, 2 in fp16."""
    launch_us: float = 0.0
    """Time that a node takes at least, however small: an assumption, not of the data sheet."""
    source: str = ""
    """Where the numbers come from."""


_LAUNCH_US: Final = 2.0
DATA_SHEETS: Final = (
    Ceiling(
        name="GTX 1080 Ti, fp32",
        gflops=11_340,
        bandwidth_gb_s=484,
        launch_us=_LAUNCH_US,
        source="3584 cores at 1.582 GHz; GDDR5X, 352 bit, 11 Gbit/s",
    ),
    Ceiling(
        name="RTX 4090, fp32",
        gflops=82_600,
        bandwidth_gb_s=1_008,
        launch_us=_LAUNCH_US,
        source="Ada architecture paper: 82.6 TFLOP/s; GDDR6X, 384 bit, 21 Gbit/s",
    ),
    Ceiling(
        name="RTX 4090, fp16",
        gflops=165_200,
        bandwidth_gb_s=1_008,
        bytes_per_number=2,
        launch_us=_LAUNCH_US,
        source="Ada architecture paper: tensor cores adding in fp32, dense",
    ),
    Ceiling(
        name="H200, fp32",
        gflops=67_000,
        bandwidth_gb_s=4_800,
        launch_us=_LAUNCH_US,
        source="data sheet of the SXM card, without tensor cores",
    ),
    Ceiling(
        name="H200, fp16",
        gflops=989_500,
        bandwidth_gb_s=4_800,
        bytes_per_number=2,
        launch_us=_LAUNCH_US,
        source="data sheet of the SXM card: tensor cores, half of the figure for sparse kernels",
    ),
)
"""fp16 on a GTX 1080 Ti is left out: its rate is a 64th of fp32's."""


def bound_ms(cost: GraphCost, ceiling: Ceiling) -> float:
    """Time below which no implementation can come.

    Parameters
    ----------
    cost : GraphCost
        Of one run, in fp32.
    ceiling : Ceiling
        The machine.

    Returns
    -------
    float
        Arithmetic or compulsory bytes, whichever takes longer, ms.

    References
    ----------
    .. [1] Williams, Waterman, Patterson, Roofline: An Insightful Visual Performance Model for
       Multicore Architectures, Communications of the ACM 52(4), 2009.
    """
    return _ms(cost.macs, cost.compulsory_bytes, ceiling)


def predicted_ms(cost: GraphCost, ceiling: Ceiling) -> float:
    """Time when nodes run one after the other, each through memory, none below a launch.

    Parameters
    ----------
    cost : GraphCost
        Of one run, in fp32.
    ceiling : Ceiling
        The machine.

    Returns
    -------
    float
        ms; fusing nodes makes it shorter, kernels below their ceilings longer.
    """
    least = ceiling.launch_us / 1e3
    return sum(max(least, _ms(n.macs, n.num_bytes, ceiling)) for n in cost.nodes)


def _ms(macs: int, num_bytes: int, ceiling: Ceiling) -> float:
    moved = num_bytes * ceiling.bytes_per_number / 4
    return max(2e-6 * macs / ceiling.gflops, 1e-6 * moved / ceiling.bandwidth_gb_s)
