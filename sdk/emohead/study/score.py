"""From answers to a table: checks every file, opens the blinds, sums up by method.

Participants, not ratings, are the unit of every interval and test, for one person's ratings
depend on each other. Not here: the statistics themselves (``statistics.py``).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.study.schema import QUESTIONS, Answers, Key, read_record
from emohead.study.statistics import bootstrap_interval, holm, wilcoxon_p

__all__ = ["csv_of", "read_answers", "read_key", "score_study", "table_of"]

Table = dict[str, Any]


def read_key(path: Path) -> Key:
    """Read the key that ``emohead study make`` wrote; raises InputError if it cannot be used."""
    return read_record(path, Key, "key")


def read_answers(paths: Iterable[Path], key: Key) -> list[Answers]:
    """Read and check participants' answers.

    Parameters
    ----------
    paths : iterable of Path
        Files, or folders of ``*.json`` files.
    key : Key

    Returns
    -------
    list of Answers
        By participant.

    Raises
    ------
    InputError
        No files; a file that is malformed, of another study, incomplete, with a clip rated twice
        or unknown, or of a participant whose answers were given already. The message names it.
    """
    files: dict[int, Path] = {}
    found: list[Answers] = []
    for path in _files(paths):
        answers = read_record(path, Answers, "answers file")
        _check(answers, key, path)
        if answers.participant in files:
            raise InputError(
                f"the answers file {path} repeats participant {answers.participant} of "
                f"{files[answers.participant]}: give one of them"
            )
        files[answers.participant] = path
        found.append(answers)
    if not found:
        raise InputError("no answers files were given: name files or a folder of .json files")
    return sorted(found, key=lambda answers: answers.participant)


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]


def _check(answers: Answers, key: Key, path: Path) -> None:
    """Compare a file with the key."""
    if answers.study != key.study:
        raise InputError(f"the answers file {path} is of another study: give its own --key")
    if answers.participant > key.num_participants:
        raise InputError(
            f"the answers file {path} is of participant {answers.participant}, but the study was "
            f"planned for {key.num_participants}: remove it"
        )
    counts = Counter(rating.clip for rating in answers.ratings)
    for rating in answers.ratings:
        clip = key.clips.get(rating.clip)
        if clip is None or key.sets.get(rating.set) != clip.set:
            raise InputError(
                f"the answers file {path} rates clip {rating.clip} in set {rating.set}, which the "
                "key does not have: remove the file"
            )
        if counts[rating.clip] > 1:
            raise InputError(f"the answers file {path} rates clip {rating.clip} twice: remove it")
    missing = key.clips.keys() - counts.keys()
    if missing:
        raise InputError(
            f"the answers file {path} lacks {len(missing)} of {len(key.clips)} ratings: "
            "remove it or let the participant finish"
        )
    asked = Counter(t for t, c in key.checks.items() if c.participant == answers.participant)
    if Counter(check.check for check in answers.checks) != asked:
        raise InputError(
            f"the answers file {path} has other attention checks than the key: remove it"
        )


def score_study(key: Key, answers: Sequence[Answers], *, keep_inattentive: bool = False) -> Table:
    """Sum a study up.

    Parameters
    ----------
    key : Key
    answers : sequence of Answers
        From ``read_answers``.
    keep_inattentive : bool
        Count participants too who failed an attention check.

    Returns
    -------
    dict
        ``participants``, ``excluded`` (numbers of those who failed a check), ``methods`` and
        ``differences``: lists of rows. A method's row holds ``question``, ``method``, ``mean``,
        ``sd`` (of the ratings), ``interval`` (95 %, participants resampled; None for one
        participant) and ``ratings``. A difference's row holds ``question``, ``method``, ``over``,
        ``mean``, ``interval``, ``p`` (Wilcoxon, exact) and ``p_holm`` (adjusted within the
        question).

    Raises
    ------
    InputError
        If nobody is left.
    """
    failed = [a.participant for a in answers if _has_failed(a, key)]
    kept = [a for a in answers if keep_inattentive or a.participant not in failed]
    if not kept:
        raise InputError(
            "every participant failed an attention check: pass --keep-inattentive to count them"
        )
    methods = sorted({clip.method for clip in key.clips.values()})
    rows: list[Table] = []
    differences: list[Table] = []
    for question in QUESTIONS:
        scores = {m: _scores(kept, key, question, m) for m in methods}
        rows += [_method_row(question, m, scores[m]) for m in methods]
        differences += _differences(question, {m: s.mean(1) for m, s in scores.items()})
    return {
        "participants": len(kept),
        "excluded": [] if keep_inattentive else failed,
        "methods": rows,
        "differences": differences,
    }


def _has_failed(answers: Answers, key: Key) -> bool:
    return any(
        getattr(given, question) != getattr(key.checks[given.check], question)
        for given in answers.checks
        for question in QUESTIONS
    )


def _scores(
    answers: Sequence[Answers], key: Key, question: str, method: str
) -> NDArray[np.float64]:
    """(participants, sets) scores of a method."""
    return np.array(
        [
            [getattr(r, question) for r in a.ratings if key.clips[r.clip].method == method]
            for a in answers
        ],
        np.float64,
    )


def _method_row(question: str, method: str, scores: NDArray[np.float64]) -> Table:
    return {
        "question": question,
        "method": method,
        "mean": float(scores.mean()),
        "sd": float(scores.std(ddof=1)) if scores.size > 1 else None,
        "interval": bootstrap_interval(scores.mean(1)),
        "ratings": int(scores.size),
    }


def _differences(question: str, means: dict[str, NDArray[np.float64]]) -> list[Table]:
    """Every pair of methods, the better one first."""
    rows: list[Table] = []
    for pair in itertools.combinations(means, 2):
        better, other = sorted(pair, key=lambda method: -float(means[method].mean()))
        by_person = means[better] - means[other]
        rows.append(
            {
                "question": question,
                "method": better,
                "over": other,
                "mean": float(by_person.mean()),
                "interval": bootstrap_interval(by_person),
                "p": wilcoxon_p(by_person),
            }
        )
    # Where nothing differs there is no evidence at all: p counts as 1.
    adjusted = holm([1.0 if row["p"] is None else row["p"] for row in rows])
    return [row | {"p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def table_of(result: Table) -> str:
    """Markdown tables for people."""
    lines = [
        f"Participants: {result['participants']}; "
        f"excluded by attention checks: {len(result['excluded'])}.",
        "",
        "| question | method | mean | sd | 95 % interval | ratings |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["methods"]:
        shown = (_number(row["mean"]), _number(row["sd"]), _span(row["interval"]))
        lines.append(
            f"| {_words(row)} | {row['method']} | {' | '.join(shown)} | {row['ratings']} |"
        )
    lines += [
        "",
        "| question | difference | mean | 95 % interval | p (Wilcoxon) | p (Holm) |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["differences"]:
        compared = (_number(row["mean"]), _span(row["interval"]), _p(row["p"]), _p(row["p_holm"]))
        pair = f"{row['method']} over {row['over']}"
        lines.append(f"| {_words(row)} | {pair} | {' | '.join(compared)} |")
    return "\n".join(lines)


def csv_of(result: Table) -> str:
    """One CSV: a line per method and question, then a line per difference."""
    import csv
    import io

    names = ("question", "method", "over", "mean", "sd", "low", "high", "ratings", "p", "p_holm")
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in (*result["methods"], *result["differences"]):
        low, high = row["interval"] or ("", "")
        writer.writerow(row | {"low": low, "high": high})
    return text.getvalue()


def _words(row: Table) -> str:
    return str(row["question"]).replace("_", " ")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _span(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 1e-3 else f"{value:.3f}"
