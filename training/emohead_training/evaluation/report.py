"""Showing an evaluation: JSON for machines, a table for people, ``docs/quality.md``.

The bars are stated here once. Not here: measuring (``evaluate.py``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emohead_training.evaluation.evaluate import Report
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = ["BARS", "Bar", "table", "write_json", "write_markdown"]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A headline number, what it must reach and what it stands beside."""

    key: str
    """Name in the JSON."""
    what: str
    """What it measures, with unit, for people."""
    limit: float | None = None
    """Value to reach; None where the number is only shown."""
    at_least: bool = False
    """Whether larger is better."""
    baselines: tuple[tuple[str, str], ...] = ()
    """Names of the baselines for people and in the JSON."""

    def verdict(self, value: float) -> str:
        """Say whether `value` reaches the limit."""
        if self.limit is None:
            return ""
        reached = value >= self.limit if self.at_least else value <= self.limit
        return "yes" if reached else "**no**"


def _beside(key: str) -> tuple[tuple[str, str], ...]:
    return (("warp", f"{key}_warp"), ("copy", f"{key}_copy"))


BARS: Final = (
    Bar(
        key="frame_error",
        what="frame error, 8-bit levels",
        limit=13.2,
        baselines=_beside("frame_error"),
    ),
    Bar(
        key="mouth_box_error",
        what="mouth-box error, 8-bit levels",
        limit=13.8,
        baselines=_beside("mouth_box_error"),
    ),
    Bar(
        key="mouth_lpips_ratio",
        what="mouth-box LPIPS-like distance over the warp's",
        limit=0.95,
    ),
    Bar(key="mouth_lpips", what="mouth-box LPIPS-like distance", baselines=_beside("mouth_lpips")),
    Bar(
        key="mouth_sharpness",
        what="mouth-box gradient over the true frame's",
        at_least=True,
        baselines=_beside("mouth_sharpness"),
    ),
    Bar(
        key="csim",
        what="CSIM with the anchor",
        at_least=True,
        baselines=(*_beside("csim"), ("true frames", "csim_true")),
    ),
    Bar(
        key="mouth_landmark_ratio",
        what="mouth-landmark error from audio over a still mouth's",
        limit=0.9,
        baselines=(("the clip's mean mouth, an oracle", "mean_mouth_ratio"),),
    ),
    Bar(key="opening_correlation", what="correlation of the mouth opening", at_least=True),
    Bar(
        key="emotion_accuracy_ravdess",
        what="emotion accuracy, RAVDESS test actors, 8 classes",
        limit=0.60,
        at_least=True,
    ),
    Bar(
        key="emotion_accuracy_cremad",
        what="emotion accuracy, CREMA-D test actors, 6 classes",
        limit=0.55,
        at_least=True,
    ),
    Bar(
        key="landmarker_error",
        what="landmark error from the photo, share of the inter-ocular distance",
        limit=0.045,
    ),
    Bar(key="edge_round_trip", what="edge round trip, canonical units", limit=1e-4),
    Bar(key="neutral_change", what="change by a neutral emotion, canonical units", limit=1e-4),
    Bar(
        key="styled_accuracy",
        what="emotion seen in stylised landmarks, 6 classes",
        at_least=True,
        baselines=(("unstyled", "unstyled_accuracy"),),
    ),
)
"""Rows of the table, in order."""

_P: Final = PROTOCOL
_PROTOCOL: Final = f"""\
People of the test split are never fitted to. The exported graphs of the bundle are judged, not the
torch modules.

- **Pixels.** True landmarks in. Anchor: the frame of the clip with the most closed mouth.
  {_P.frames_per_clip} frames a clip, in the middles of {_P.frames_per_clip} equal stretches; the
  recurrent state is carried from the clip's first frame. Mean absolute error over pixels and
  channels, then over frames. Mouth box: the box of the 20 mouth points,
  {_P.mouth_margin_px} px larger on every side.
- **warp**: the anchor warped by a thin-plate spline through the 68 true landmarks, border pinned;
  no learning. **copy**: the anchor itself.
- **LPIPS-like**: mouth boxes resized to {_P.patch_px}x{_P.patch_px}, SqueezeNet 1.1 features,
  LPIPS 0.1 linear heads. The backbone's weights are not those that the heads were fitted with,
  hence "like".
- **Sharpness**: mean gradient magnitude of the mouth box over that of the true frame.
- **Lips**: clips with speech; mean distance of the 20 mouth points over that of the anchor held
  still.
- **Landmarks**: whole frames in, own detector and landmarker, against the teacher's labels; mean
  over people, share of the outer eye corners' distance.
- **Edges**: landmarks to edges and back, started from another frame, from the template and from
  another person.
"""


def write_json(report: Report, path: Path) -> None:
    """Write all numbers, whole or not at all."""
    _write(path, json.dumps(report.as_dict(), indent=1) + "\n")


def write_markdown(report: Report, path: Path) -> None:
    """Write the page for people."""
    context = report.context
    bundle = context["bundle"]
    lines = [
        "# Quality on held-out people",
        "",
        "Made by `emohead-train evaluate --data ../shared/data --json quality.json --markdown"
        f" docs/quality.md` on {context['measured']}; do not edit.",
        "",
        f"Bundle `{bundle['name']}`, sha256 of its graphs' hashes `{bundle['sha256'][:16]}`. "
        f"{context['machine']}; {context['backend']}.",
        "",
        table(report),
        "",
        f"Judging networks: {', '.join(context['critics']) or 'none'}.",
        "",
        "## How it is measured",
        "",
        _PROTOCOL,
        "## How much was measured",
        "",
        *_sizes(report),
    ]
    _write(path, "\n".join(lines) + "\n")


def table(report: Report) -> str:
    """Return the numbers beside baselines and bars, as a Markdown table."""
    rows = ["| what | value | beside it | bar | reached |", "|---|---|---|---|---|"]
    found = _all_numbers(report)
    for bar in BARS:
        if bar.key not in found:
            continue
        beside = [f"{n} {_text(found[k])}" for n, k in bar.baselines if k in found]
        sign = ">=" if bar.at_least else "<="
        limit = "" if bar.limit is None else f"{sign} {bar.limit:g}"
        value = found[bar.key]
        cells = (bar.what, f"**{_text(value)}**", ", ".join(beside), limit, bar.verdict(value))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _all_numbers(report: Report) -> dict[str, float]:
    """Headlines, and the plain numbers among the details."""
    found: dict[str, float] = {}
    for part in report.details.values():
        found |= {k: float(v) for k, v in part.items() if isinstance(v, (int, float))}
    return found | report.numbers


def _sizes(report: Report) -> Iterator[str]:
    for name, part in report.details.items():
        counts = {k: v for k, v in part.items() if isinstance(v, (int, float)) and _is_count(k)}
        if counts:
            yield f"- {name}: " + ", ".join(f"{k} {v:g}" for k, v in counts.items())


def _is_count(key: str) -> bool:
    return key.startswith(("num_", "emotion_clips_")) or key in {
        "frames",
        "people",
        "missed",
        "edge_round_trip_faces",
    }


def _text(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
