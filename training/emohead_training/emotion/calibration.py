"""Temperature and offsets that make scores chances, fitted on held-out training people.

Guo et al., On Calibration of Modern Neural Networks, 2017, with one offset per class (Platt).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["calibrate", "calibration_error"]


def calibrate(
    logits: Tensor, labels: Tensor, known: Tensor, caution: float = 0.02
) -> tuple[Tensor, Tensor]:
    """Fit one temperature and an offset per class by Newton-like steps on the cross-entropy.

    Parameters
    ----------
    logits : (W, 8) tensor
    labels : (W, 8) tensor, 0 or 1
    known : (W, 8) tensor, bool
    caution : float
        Pull of the offsets towards zero: there are few held-out people.

    Returns
    -------
    temperature : (8,) tensor, positive, all equal
    offset : (8,) tensor
    """
    with torch.enable_grad():
        log_scale = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        offset = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([log_scale, offset], max_iter=100, line_search_fn="strong_wolfe")
        wide, truth, counts = logits.double(), labels.double(), known.double()

        def closure() -> Tensor:
            solver.zero_grad()
            calibrated = wide * torch.exp(log_scale) + offset
            each = functional.binary_cross_entropy_with_logits(calibrated, truth, reduction="none")
            loss = (each * counts).sum() / counts.sum() + caution * offset.square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        solver.step(closure)  # type: ignore[no-untyped-call]
    temperature = torch.exp(-log_scale.detach()).float().expand(logits.shape[1]).clone()
    return temperature, offset.detach().float()


def calibration_error(scores: Tensor, labels: Tensor, known: Tensor, bins: int = 10) -> float:
    """Measure the expected calibration error over all known (window, class) pairs.

    Parameters
    ----------
    scores : (W, 8) tensor in [0, 1]
    labels : (W, 8) tensor, 0 or 1
    known : (W, 8) tensor, bool
    bins : int
        Bins of equal width.

    Returns
    -------
    float, [0, 1]
        Mean gap between score and share of right answers, weighted by bin.
    """
    mask = known.bool()
    score, truth = scores[mask].double(), labels[mask].double()
    where = torch.clamp((score * bins).long(), max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, where, score - truth)
    return float(gaps.abs().sum() / max(1, len(score)))
