"""What a preparation made and what it left out, as ``report.json`` and as rows for people.

Called by ``preparing.py`` and the command. Not here: deciding what is skipped.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from emohead_training.whole_files import read_json, write_json

__all__ = ["REPORT_FILE", "report_rows", "write_report"]

REPORT_FILE: Final = "report.json"


def write_report(
    out: Path, corpus: str, left_out: Mapping[str, int], skipped: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Summarise a corpus and store it under its name in ``report.json``.

    Parameters
    ----------
    out : Path
        Corpus root, indices written.
    corpus : str
    left_out : mapping of str to int
        Files that are no items, by reason.
    skipped : sequence of mappings
        ``file``, ``reason`` and perhaps ``detail`` of each skipped item.

    Returns
    -------
    dict
        ``videos``, ``voices`` (clips, minutes, people by split, clips by emotion), ``left_out``
        and ``skipped``.
    """
    report = {
        "videos": _side(_rows(out / "video.csv", "source", corpus), "identity"),
        "voices": _side(_rows(out / "audio.csv", "dataset", corpus), "speaker"),
        "left_out": dict(left_out),
        "skipped": list(skipped),
    }
    path = out / REPORT_FILE
    write_json(path, (read_json(path) or {}) | {corpus: report})
    return report


def _rows(index: Path, column: str, corpus: str) -> list[dict[str, str]]:
    with index.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row[column] == corpus]


def _side(rows: Sequence[Mapping[str, str]], person: str) -> dict[str, Any]:
    people = {(row[person], row["split"]) for row in rows}
    emotions = Counter(row["emotion"].split("/")[0].strip("-") or "unlabelled" for row in rows)
    return {
        "clips": len(rows),
        "minutes": round(sum(float(row["seconds"]) for row in rows) / 60, 2),
        "people": dict(sorted(Counter(split for _, split in people).items())),
        "emotions": dict(sorted(emotions.items())),
    }


def report_rows(report: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Rows of (what, how many, remark) for a table.

    Parameters
    ----------
    report : mapping
        As `write_report` returns it.

    Yields
    ------
    tuple of three str
    """
    for side in ("videos", "voices"):
        part = report[side]
        people = ", ".join(f"{count} {split}" for split, count in part["people"].items())
        yield side, str(part["clips"]), f"{part['minutes']} min; people: {people or 'none'}"
    for reason, count in report["left_out"].items():
        yield "left out", str(count), reason
    reasons = Counter(entry["reason"] for entry in report["skipped"])
    for reason, count in reasons.most_common():
        first = next(e["file"] for e in report["skipped"] if e["reason"] == reason)
        yield "skipped", str(count), f"{reason}; the first is {first}"
