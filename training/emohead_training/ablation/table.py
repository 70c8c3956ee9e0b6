"""The ablation's table, beside what the paper prints: JSON for machines, Markdown for people.

Not here: training and judging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from emohead_training.ablation.variants import VARIANTS, Variant
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["COLUMNS", "WARP_ROW", "markdown_of", "table"]

COLUMNS: Final = (
    ("cpbd", "CPBD ↑", 3),
    ("fid", "FID ↓", 1),
    ("csim", "CSIM ↑", 3),
    ("lmd", "LMD, px ↓", 2),
    ("mouth_lpips", "mouth LPIPS-like ↓", 3),
    ("mouth_box_error", "mouth-box error ↓", 2),
    ("frame_error", "frame error ↓", 2),
)
"""Key, heading and decimals of a row's numbers."""
_PRINTED: Final = (("cpbd", "CPBD ↑"), ("fid", "FID ↓"), ("csim", "CSIM ↑"), ("lmd", "LMD ↓"))
WARP_ROW: Final = "warp_alone"
"""Name of the baseline's row."""


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown table of measured rows.

    Parameters
    ----------
    rows : mapping of row name to numbers
        As ``judge`` gives; rows without numbers are left out.

    Returns
    -------
    str
    """
    lines = [
        "| row | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for name, title in _titles(rows):
        cells = [_cell(rows[name], key, digits) for key, _, digits in COLUMNS]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    full = rows.get("full")
    if full and "cpbd_true" in full:
        true = {"cpbd": full["cpbd_true"], "csim": full.get("csim_true")}
        cells = [_cell(true, key, digits) for key, _, digits in COLUMNS]
        lines.append(f"| true frames | {' | '.join(cells)} |")
    return "\n".join(lines)


def _titles(rows: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((v.name, v.title) for v in VARIANTS if v.name in rows)
    if WARP_ROW in rows:
        yield WARP_ROW, "the photo warped, no learning"


def _cell(numbers: Mapping[str, Any], key: str, digits: int) -> str:
    value = numbers.get(key)
    if value is None:
        return "–"
    interval = numbers.get(f"{key}_ci")
    spread = "" if interval is None else f" ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"
    return f"{value:.{digits}f}{spread}"


def markdown_of(result: Mapping[str, Any]) -> str:
    """Page for people.

    Parameters
    ----------
    result : mapping
        ``rows``, ``training`` (steps and minutes by row and phase), ``settings``, ``context``.

    Returns
    -------
    str
    """
    context, settings = result["context"], result["settings"]
    lines = [
        "# Ablation",
        "",
        f"Made by `emohead-train ablate` on {context['measured']}; do not edit. Each row leaves "
        "one module of the renderer out and is otherwise trained alike: recipe, steps, seed and "
        "data. Judged on people that no row has seen; intervals are 95 %, people resampled.",
        "",
        table(result["rows"]),
        "",
        *_training(result),
        "",
        f"Recipe `{settings['recipe']}`, seed {settings['seed']}; {context['machine']}; "
        f"trained on {context['device']}. Judging networks: "
        f"{', '.join(context['judges']) or 'none'}, and the default bundle's landmarker.",
        "",
        "## How it is measured",
        "",
        _PROTOCOL.format(**context, per_clip=PROTOCOL.frames_per_clip),
        "## What the paper prints (Table 3)",
        "",
        "Measured by its authors on RAVDESS and CREMA-D at full strength, from audio; other "
        "footage, another feature network and another unit of LMD, so only the order within a "
        "column can be compared with the table above. Each cell: RAVDESS, CREMA-D.",
        "",
        *_printed(),
    ]
    return "\n".join(lines) + "\n"


_PROTOCOL: Final = """\
- True landmarks in, {num_frames} frames of {num_people} people: {per_clip} frames a clip, each
  after {warm_frames} frames of run-up; the anchor is the clip's most closed mouth. The torch
  modules are judged, with averaged weights.
- CPBD: cumulative probability of blur detection. FID: Fréchet distance of the named network's
  features, all frames pooled. CSIM: cosine with the anchor. LMD: lips as the landmarker finds them
  on made and on true frames, aligned. Mouth box and frame error in 8-bit levels.
- *without local translation*: the four component nets are left out, the net of the remaining
  component and the global stage do all. *without identity loss*: its weight is 0. *without
  ConvGRU*: its state is zero in every frame. *without warp*: the photo's texture is not moved by
  the landmarks first, which is the paper's own variant.
"""


def _training(result: Mapping[str, Any]) -> Iterator[str]:
    yield "| row | local: steps, minutes | global: steps, minutes |"
    yield "|---|---|---|"
    for name, title in _titles(result["training"]):
        phases = result["training"][name]
        cells = [f"{phases[p]['steps']}, {phases[p]['minutes']:.1f}" for p in ("local", "global")]
        yield f"| {title} | {' | '.join(cells)} |"


def _printed() -> Iterator[str]:
    yield "| row | " + " | ".join(heading for _, heading in _PRINTED) + " |"
    yield "|---|" + "---|" * len(_PRINTED)
    for variant in VARIANTS:
        if variant.printed is not None:
            yield f"| {variant.title} | {' | '.join(_printed_cells(variant))} |"


def _printed_cells(variant: Variant) -> Iterator[str]:
    for key, _ in _PRINTED:
        first, second = getattr(variant.printed, key)
        yield f"{first:.3f}, {second:.3f}"
