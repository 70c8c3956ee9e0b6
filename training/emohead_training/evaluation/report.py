"""Showing an evaluation: JSON for machines, tables for people, ``docs/quality.md``.

Not here: measuring (``evaluate.py``), the rows (``bars.py``), the HTML page (``html.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emohead_training.evaluation.bars import BARS, GROUPS, Bar
from emohead_training.evaluation.evaluate import Report, is_count
from emohead_training.evaluation.methods import METHODS
from emohead_training.evaluation.printed import CAVEAT, OURS_BY_METRIC, PRINTED
from emohead_training.whole_files import write_text

__all__ = [
    "Row",
    "class_tables",
    "group_tables",
    "printed_table",
    "rows",
    "sizes",
    "table",
    "write_json",
    "write_markdown",
]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number as people read it; every field is text."""

    bar: Bar
    """What it is."""
    value: str
    """The number."""
    interval: str
    """Its interval, or empty."""
    beside: str
    """Baselines with their values."""
    limit: str
    """What it must reach, or empty."""
    verdict: str
    """``yes``, ``**no**`` or empty."""


def rows(report: Report) -> list[Row]:
    """Rows of the numbers that were measured, in the order of ``BARS``."""
    found = report.numbers
    return [_row(bar, found) for bar in BARS if bar.key in found]


def _row(bar: Bar, found: Mapping[str, Any]) -> Row:
    beside = [f"{name} {_text(found[key])}" for name, key in bar.baselines if key in found]
    sign = ">=" if bar.at_least else "<="
    interval = found.get(f"{bar.key}_ci")
    return Row(
        bar=bar,
        value=_text(found[bar.key]),
        interval="" if interval is None else " – ".join(_text(end) for end in interval),
        beside=", ".join(beside),
        limit="" if bar.limit is None else f"{sign} {bar.limit:g}",
        verdict=bar.verdict(found[bar.key]),
    )


def table(report: Report) -> str:
    """Return the numbers beside baselines and bars, as Markdown, one table a heading."""
    made = rows(report)
    blocks = []
    for group in GROUPS:
        own = [row for row in made if row.bar.group == group]
        if own:
            lines = ["| what | value | 95 % interval | beside it | bar | reached |"]
            lines += ["|---|---|---|---|---|---|"]
            lines += [
                f"| {r.bar.what} | **{r.value}** | {r.interval} | {r.beside} | {r.limit} "
                f"| {r.verdict} |"
                for r in own
            ]
            blocks.append(f"### {group}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks)


def printed_table(report: Report) -> list[list[str]]:
    """Table 2 of the paper, then our nearest numbers, with a head; rows of text."""
    metrics = list(OURS_BY_METRIC)
    head = ["", *(f"{m.upper()} {d}" for m in metrics for d in ("RAVDESS", "CREMA-D"))]
    body = [
        [
            f"{row.method} (printed)",
            *(f"{value:g}" for metric in metrics for value in getattr(row, metric)),
        ]
        for row in PRINTED
    ]
    for label, index in (
        ("this bundle, true landmarks, our test clips", 0),
        ("this bundle, from sound, our test clips", 1),
    ):
        keys = [OURS_BY_METRIC[metric][index] for metric in metrics]
        cells = [_text(report.numbers[k]) if k in report.numbers else "–" for k in keys]
        if any(cell != "–" for cell in cells):
            body.append([label, *(part for cell in cells for part in (cell, ""))])
    return [head, *body]


CLASS_TABLES: Final = (
    ("emotion heard, RAVDESS", "voice", "emotion_recall_ravdess"),
    ("emotion heard, CREMA-D", "voice", "emotion_recall_cremad"),
    ("emotion seen on rendered faces", "expression", "rendered_emotion_recall"),
    ("that judge on real acted frames", "expression", "real_frames_recall"),
    ("stylised landmarks, judge knows the styles' people", "stylisation", "styled_by_emotion"),
    (
        "stylised landmarks, judge of other people",
        "stylisation",
        "styled_by_emotion_independent",
    ),
    ("mouth opening preserved (correlation)", "stylisation", "opening_preserved_by_emotion"),
)
"""Title, part and key of every number by emotion."""


GROUP_TABLES: Final = (
    ("emotion heard, RAVDESS", "voice", "emotion_by_group_ravdess"),
    ("frame error, true landmarks in", "rendering", "frame_error_by_group"),
    ("mouth-box error, true landmarks in", "rendering", "mouth_box_error_by_group"),
    ("mouth LPIPS-like over the warp's", "rendering", "mouth_lpips_ratio_by_group"),
)
"""Title, part and key of every number by group of people."""


def class_tables(report: Report) -> list[list[str]]:
    """Numbers by emotion that were measured, with a head; rows of text."""
    return _tabulated(report, CLASS_TABLES, "share of right answers")


def group_tables(report: Report) -> list[list[str]]:
    """Numbers by group of people that were measured, with a head; rows of text.

    A group is the sex of RAVDESS actors, else the collection of footage; how many people of a group
    were measured stands beside its name.
    """
    turned = _tabulated(report, GROUP_TABLES, "group (people)")
    return [list(column) for column in zip(*turned, strict=True)]


def _tabulated(
    report: Report, tables: Sequence[tuple[str, str, str]], corner: str
) -> list[list[str]]:
    found = {
        title: report.details[part][key]
        for title, part, key in tables
        if key in report.details.get(part, {})
    }
    names = list(dict.fromkeys(name for own in found.values() for name in own))
    if not names:
        return []
    body = [
        [title, *(_text(own[name]) if name in own else "" for name in names)]
        for title, own in found.items()
    ]
    return [[corner, *names], *body]


def write_json(report: Report, path: Path) -> None:
    """Write all numbers, whole or not at all."""
    write_text(path, json.dumps(report.as_dict(), indent=1) + "\n")


def write_markdown(report: Report, path: Path) -> None:
    """Write the page for people."""
    context = report.context
    bundle = context["bundle"]
    lines = [
        "# Quality on held-out people",
        "",
        "Made by `emohead-train evaluate --data DATA --json quality.json --markdown "
        f"docs/quality.md` on {context['measured']}; do not edit.",
        "",
        f"Bundle `{bundle['name']}`, sha256 of its graphs' hashes `{bundle['sha256'][:16]}`. "
        f"{context['machine']}; {context['backend']}. "
        f"Protocol {context['protocol']['version']}.",
        "",
        "Intervals are bootstrap intervals over people.",
        "",
        "## Numbers, baselines, bars",
        "",
        table(report),
        "",
        *_section("## By emotion", class_tables(report)),
        *_section("## By group of people", group_tables(report)),
        *_section("## Beside the paper", printed_table(report), CAVEAT),
        f"Judging networks: {', '.join(context['critics']) or 'none'}.",
        "",
        "## How it is measured",
        "",
        METHODS,
        "## How much was measured",
        "",
        *(f"- {line}" for line in sizes(report)),
        *_left_out(context.get("skipped", {})),
    ]
    write_text(path, "\n".join(lines) + "\n")


def _section(title: str, cells: list[list[str]], note: str = "") -> list[str]:
    if not cells:
        return []
    head, *body = (f"| {' | '.join(row)} |" for row in cells)
    rule = "|" + "---|" * len(cells[0])
    return [title, "", *([note, ""] if note else []), head, rule, *body, ""]


def _left_out(skipped: Mapping[str, str]) -> list[str]:
    if not skipped:
        return []
    return ["", "Left out:", "", *(f"- {name}: {reason}" for name, reason in skipped.items())]


def sizes(report: Report) -> Iterator[str]:
    """Say how much each part was measured on."""
    for name, part in report.details.items():
        counts = {k: v for k, v in part.items() if isinstance(v, (int, float)) and is_count(k)}
        if counts:
            yield f"{name}: " + ", ".join(f"{k} {v:g}" for k, v in counts.items())


def _text(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"
