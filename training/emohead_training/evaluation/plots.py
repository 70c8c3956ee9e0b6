"""Plots of an evaluation as SVG text, to be embedded in the HTML report.

Called by ``html.py``. Not here: tables.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from emohead_training.evaluation.bars import BARS
from emohead_training.evaluation.evaluate import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plots"]

BLUE, GREY, GREEN, RED = "#2563a8", "#9aa3ad", "#2e8b57", "#c0392b"
_STYLE: Final = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "emohead",
}
_COMPARED: Final = (
    "frame_error",
    "mouth_box_error",
    "mouth_lpips",
    "csim",
    "fid",
    "cpbd",
    "lmd",
    "mouth_landmark_px",
)


def plots(report: Report) -> Iterator[tuple[str, str]]:
    """Draw what was measured.

    Parameters
    ----------
    report : Report

    Yields
    ------
    (caption, svg)
        The SVG element alone, without XML head.
    """
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        if "frame_error" in report.numbers:
            yield "Ours beside the baselines, with intervals over people.", _baselines(report)
        if any(b.limit is not None and b.key in report.numbers for b in BARS):
            yield "Every bar: 1 is reached exactly, right of it is better.", _bars(report)
        expression = report.details.get("expression", {})
        if "rendered_emotion_confusion_with_neutral" in expression:
            yield (
                "Rendered emotions: asked for (rows) and recognised (columns), share of faces.",
                _confusion(expression),
            )
        clips = report.details.get("lips", {}).get("by_clip_val_test")
        if clips:
            yield "Lips from sound, clip by clip.", _clips(clips)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _baselines(report: Report) -> str:
    from matplotlib.figure import Figure

    found = report.numbers
    keys = [key for key in _COMPARED if key in found]
    names = (("ours", ""), ("warp", "_warp"), ("copy", "_copy"), ("mean mouth", "_mean_mouth"))
    rows = -(-len(keys) // 4)
    figure = Figure(figsize=(9, 2.3 * rows), layout="constrained")
    what = {bar.key: bar.what for bar in BARS}
    for panel, key in zip(figure.subplots(rows, 4, squeeze=False).flat, keys, strict=False):
        shown = [(name, key + suffix) for name, suffix in (*names, ("true", "_true"))]
        shown = [(name, full) for name, full in shown if full in found]
        values = [found[full] for _, full in shown]
        ends = [found.get(f"{full}_ci", (found[full],) * 2) for _, full in shown]
        spread = np.abs(np.transpose(ends) - values)
        colours = [BLUE if name == "ours" else GREY for name, _ in shown]
        panel.bar(range(len(shown)), values, color=colours, yerr=spread, capsize=2)
        panel.set_xticks(range(len(shown)), [n for n, _ in shown], rotation=35, ha="right")
        panel.set_title(what[key].split(",")[0], fontsize=8)
    for empty in figure.axes[len(keys) :]:
        empty.set_visible(False)
    return _svg(figure)


def _bars(report: Report) -> str:
    chosen = [
        bar
        for bar in reversed(BARS)
        if bar.limit is not None and bar.key in report.numbers and bar.limit > 1e-3
    ]
    figure, axes = _figure(9, 0.42 * len(chosen) + 0.6)
    for row, bar in enumerate(chosen):
        value = report.numbers[bar.key]
        ends = report.numbers.get(f"{bar.key}_ci", (value, value))
        scores = [_score(x, bar.limit or 1.0, bar.at_least) for x in (value, *ends)]
        colour = GREEN if scores[0] >= 1 else RED
        axes.plot(sorted(scores[1:]), [row, row], color=colour, lw=2, alpha=0.5)
        axes.plot(scores[0], row, "o", color=colour)
    axes.axvline(1, color="#444444", lw=0.8)
    axes.set_yticks(range(len(chosen)), [bar.what for bar in chosen])
    axes.set_xlabel("value over bar, turned so that larger is better")
    return _svg(figure)


def _score(value: float, limit: float, at_least: bool) -> float:
    return value / limit if at_least else limit / max(value, 1e-9)


def _confusion(part: dict[str, Any]) -> str:
    counts = np.asarray(part["rendered_emotion_confusion_with_neutral"], float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    classes = part["rendered_emotion_classes"]
    figure, axes = _figure(5.2, 3.8)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        dark = shares[row, column] > 0.5
        text = f"{shares[row, column]:.2f}"
        colour = "white" if dark else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axes.set_xticks(range(len(classes)), classes, rotation=35, ha="right")
    axes.set_yticks(range(len(classes) - 1), classes[1:])
    return _svg(figure)


def _clips(clips: dict[str, dict[str, float]]) -> str:
    ordered = sorted(clips.items(), key=lambda item: item[1]["opening_correlation"])
    figure, axes = _figure(9, 0.24 * len(ordered) + 0.9)
    place = np.arange(len(ordered))
    for offset, key, colour, label in (
        (-0.2, "opening_correlation", BLUE, "correlation of the opening"),
        (0.2, "mouth_landmark_ratio", GREY, "error over a still mouth's"),
    ):
        axes.barh(place + offset, [own[key] for _, own in ordered], 0.4, color=colour, label=label)
    axes.set_yticks(place, [name for name, _ in ordered], fontsize=7)
    axes.axvline(1, color="#444444", lw=0.8)
    axes.legend(loc="lower right", fontsize=8)
    return _svg(figure)
