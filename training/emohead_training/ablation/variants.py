"""Which modules are left out, and what the paper prints for them (Table 3).

Not here: training (``training_rows.py``) and judging (``judging.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from emohead.errors import InputError
from emohead_training.renderer.task import RendererConfig

__all__ = ["VARIANTS", "Printed", "Variant", "variants_named"]


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A row of the paper's Table 3: RAVDESS, CREMA-D."""

    cpbd: tuple[float, float]
    """Sharpness; higher is better."""
    fid: tuple[float, float]
    """Lower is better."""
    csim: tuple[float, float]
    """Identity; higher is better."""
    lmd: tuple[float, float]
    """Lip landmarks; lower is better."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A renderer with or without a module."""

    name: str
    """On the command line and in the JSON."""
    title: str
    """For people."""
    changes: Mapping[str, bool | float] = field(default_factory=dict)
    """Fields of ``RendererConfig`` that differ from the full model's."""
    printed: Printed | None = None
    """What the paper prints; None where it has no such row."""

    def applied_to(self, config: RendererConfig) -> RendererConfig:
        """Return `config` with this variant's changes."""
        return replace(config, **self.changes)  # type: ignore[arg-type]


VARIANTS: Final = (
    Variant(
        name="full",
        title="full model",
        printed=Printed(
            cpbd=(0.336, 0.442), fid=(14.621, 22.252), csim=(0.516, 0.773), lmd=(0.705, 0.326)
        ),
    ),
    Variant(
        name="without_local",
        title="without local translation",
        changes={"use_local": False},
        printed=Printed(
            cpbd=(0.312, 0.437), fid=(39.059, 58.764), csim=(0.463, 0.567), lmd=(0.736, 0.387)
        ),
    ),
    Variant(
        name="without_identity",
        title="without identity loss",
        changes={"identity": 0.0},
        printed=Printed(
            cpbd=(0.319, 0.427), fid=(54.052, 60.631), csim=(0.478, 0.496), lmd=(0.775, 0.689)
        ),
    ),
    Variant(
        name="without_gru",
        title="without ConvGRU",
        changes={"use_gru": False},
        printed=Printed(
            cpbd=(0.274, 0.392), fid=(52.527, 39.083), csim=(0.491, 0.555), lmd=(0.720, 0.369)
        ),
    ),
    Variant(name="without_warp", title="without warp", changes={"use_warp": False}),
)
"""Rows in order: the paper's, then this project's own addition, the warp."""


def variants_named(names: Sequence[str]) -> tuple[Variant, ...]:
    """Variants by name, all of them for no name, in the table's order; InputError if unknown."""
    known = {variant.name for variant in VARIANTS}
    for name in names:
        if name not in known:
            raise InputError(f"expected a row among {', '.join(sorted(known))}, got {name!r}")
    return tuple(v for v in VARIANTS if not names or v.name in names)
