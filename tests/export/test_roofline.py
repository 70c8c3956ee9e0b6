from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from emohead.bench.schema import Ceilings, Report, StageResult, Timing
from emohead.bench.targets import fingerprint
from emohead.bundle import Bundle
from emohead.doctor import examine_machine
from emohead.errors import InputError
from emohead.stages import RENDERER
from emohead_export.cli import app
from emohead_export.roofline_page import roofline_page


@pytest.fixture
def report(tiny_bundle: Path) -> Report:
    machine = examine_machine()
    times = dict.fromkeys(("p95_ms", "p99_ms", "min_ms", "max_ms", "jitter_ms"), 1.0)
    result = StageResult(
        stage=RENDERER.name,
        backend="cpu",
        precision="fp32",
        batch=1,
        error=0.0,
        tolerance=1e-4,
        open_s=0.0,
        timing=Timing(num_samples=1, median_ms=1e3, **times),
    )
    return Report(
        created="2026-11-28T10:00:00+00:00",
        emohead="0.1.0",
        quick=False,
        bundles={fingerprint(Bundle.open(tiny_bundle)): "tiny"},
        machine={
            "cpu": "Some CPU",
            "cores": 2,
            "memory_gib": None,
            "gpus": (),
            "driver": None,
            "system": machine.system,
            "python": machine.python,
            "packages": {},
            "load_average": 0.0,
        },
        ceilings=(Ceilings(gemm_gflops=100.0, bandwidth_gb_s=0.001, threads=2),),
        stages=(result,),
        clips=(),
    )


def test_the_page_has_costs_shares_and_marked_predictions(report: Report, tiny_bundle: Path):
    page = roofline_page(Bundle.open(tiny_bundle), [report])
    rows = [line for line in page.splitlines() if line.startswith(f"| {RENDERER.name} ")]
    cost, measured = ([c.strip() for c in row.strip("|").split("|")] for row in rows)
    megabytes = float(cost[2]) + float(cost[3])
    assert measured[1:3] == ["cpu fp32", "1000.000"]
    assert float(measured[3]) == pytest.approx(1e3 * megabytes, rel=1e-2)
    assert float(measured[4].rstrip("%")) == pytest.approx(100 * megabytes, abs=2)
    predictions = page.partition("Predicted, not measured")[2]
    for gpu in ("GTX 1080 Ti", "RTX 4090", "H200"):
        assert f"*{gpu}, fp32*" in predictions
    assert "None of these numbers was measured" in predictions


def test_without_a_report_nothing_is_called_measured(tiny_bundle: Path):
    page = roofline_page(Bundle.open(tiny_bundle), [])
    assert "## Measured" not in page
    assert "## Cost of one item" in page


def test_reports_of_other_networks_are_refused(report: Report, tiny_bundle: Path):
    bundle = Bundle.open(tiny_bundle)
    other = report.model_copy(update={"bundles": {"f" * 16: "other"}})
    with pytest.raises(InputError, match="measured the networks f{16}"):
        roofline_page(bundle, [other])
    with pytest.raises(InputError, match="lacks the machine's ceilings"):
        roofline_page(bundle, [report.model_copy(update={"ceilings": ()})])


def test_the_command_writes_the_page(report: Report, tiny_bundle: Path, tmp_path: Path):
    given, out = tmp_path / "r.json", tmp_path / "roofline.md"
    given.write_text(report.model_dump_json())
    arguments = ["roofline", str(given), "--bundle", str(tiny_bundle), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert out.read_text(encoding="utf-8").startswith("# Roofline")
