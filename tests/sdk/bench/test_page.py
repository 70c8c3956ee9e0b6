from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from emohead.bench.page import page_of
from emohead.bench.plots import Series, bars, lines
from emohead.bench.schema import Report, Scenario
from emohead.bench.tables import hardware_of, is_busy, machine_lines, tables


class Elements(HTMLParser):
    """Collects tags, attributes and whatever is left open."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing(report: Report):
    page = page_of(report)
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    names = {tag for tag, _ in elements.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert not any({"src", "href", "srcset"} & set(attrs) for _, attrs in elements.tags)
    assert not re.search(r"https?:|url\(|@import|<!--", page)
    assert sum(tag == "svg" for tag, _ in elements.tags) == 5


def test_the_page_says_what_was_found_and_what_was_not(report: Report):
    page = page_of(report)
    for text in ("0.600", "62.5", "246 MiB", "1.25 s", "too far off", "no GPU here"):
        assert text in page
    assert "Some &lt;fast&gt; CPU" in page
    assert "<fast>" not in page


def test_memory_is_compared_with_the_shortest_clip(report: Report):
    numbers = ((600.0, 18000, 250.92), (10.0, 300, 246.0))
    long, short = (
        report.clips[0].model_copy(
            update={
                "scenario": Scenario(kind="memory"),
                "duration_s": seconds,
                "num_frames": frames,
                "peak_rss_mib": peak,
            }
        )
        for seconds, frames, peak in numbers
    )
    only = report.model_copy(update={"stages": (), "clips": (long, short)})
    (table,) = tables(only)
    assert [row[1:] for row in table.rows] == [
        ("10", "300", "246 MiB", "+0.0 %"),
        ("600", "18000", "251 MiB", "+2.0 %"),
    ]


def test_an_empty_report_is_a_page_too(report: Report):
    empty = report.model_copy(update={"stages": (), "clips": (), "ceilings": (), "absent": {}})
    assert "<table>" not in page_of(empty)


def test_tables_have_rows_as_long_as_their_heads(report: Report):
    found = list(tables(report))
    assert [t.title.split(",")[0] for t in found] == [
        "Networks",
        "From portrait and voice to a finished mp4",
        "Clip length",
    ]
    assert all(len(row) == len(t.head) for t in found for row in t.rows)
    network = dict(zip(found[0].head, found[0].rows[1], strict=True))
    assert (network["batch"], network["median ms"], network["items/s"]) == ("4", "80.000", "50.0")
    assert network["GFLOP/s"] == "100.0"
    assert found[0].rows[2][3] == "refused"


def test_a_busy_machine_is_told(report: Report):
    assert not is_busy(report)
    loaded = report.machine.model_copy(update={"load_average": 1.9})
    busy = report.model_copy(update={"machine": loaded})
    assert is_busy(busy)
    assert any("others were working" in line for line in machine_lines(busy))
    with_gpu = report.machine.model_copy(update={"gpus": ("GPU X (sm_90), 8192 MiB",)})
    assert hardware_of(report.model_copy(update={"machine": with_gpu})) == "GPU X"


def test_bars_are_as_long_as_their_values():
    svg = bars([("a", "one", 1.0), ("b", "one", 4.0)], "ms")
    short, long = (float(w) for w in re.findall(r'<rect x="190" y="\d+" width="([\d.]+)"', svg))
    assert long == pytest.approx(4 * short)
    assert "4 ms" in svg


def test_lines_rise_with_their_values_from_zero():
    svg = lines([Series(name="a", x=[1, 2, 16], y=[0.0, 5.0, 10.0])], "batch", "fps")
    points = re.search(r'points="([^"]+)"', svg)
    assert points is not None
    (x0, y0), (x1, y1), (x2, y2) = (map(float, p.split(",")) for p in points.group(1).split())
    assert (x1 - x0) * 14 == pytest.approx(x2 - x1, rel=1e-2)
    assert y0 - y1 == pytest.approx(y1 - y2)
    assert y2 < y1 < y0
