"""The scripts for a CUDA machine: a report as soon as PyTorch is done, and shells that parse."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from emohead.bench.schema import StageResult, read_report
from emohead.bench.targets import fingerprint
from emohead.bundle import Bundle
from emohead.errors import BackendError

SCRIPTS = Path(__file__).resolve().parents[2] / "script" / "gpu"


@pytest.fixture
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_bench", SCRIPTS / "bench.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_whoever_is_cut_off_keeps_the_results_of_pytorch(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers: dict[str, Any] = {"batch": 1, "error": 0.0, "tolerance": 1e-4, "open_s": 0.1}
    one = StageResult(stage="renderer", backend="torch-cpu", precision="fp32", **numbers)
    plans: list[Any] = []
    run_plan = bench.run_plan

    def cut_off(plan: Any, *arguments: Any, **options: Any) -> Any:
        plans.append(plan)
        if plan.batches:
            raise BackendError("cut off")
        return run_plan(plan, *arguments, **options)

    monkeypatch.setattr(bench, "measure_torch", lambda plan, *rest: iter([[one], [one]]))
    monkeypatch.setattr(bench, "run_plan", cut_off)
    asked = ["bench.py", str(tmp_path), "--device", "cpu", "--quick", "--stage", "renderer"]
    monkeypatch.setattr("sys.argv", asked)
    with pytest.raises(SystemExit, match="cut off"):
        bench.main()
    report = read_report(tmp_path / "speed.json")
    assert report.stages == (one, one)
    assert list(report.bundles) == [fingerprint(Bundle.open())]
    assert list(plans[1].batches) == ["renderer"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_shell_scripts_parse_and_say_how_they_are_used(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"usage: {script.name}" in done.stderr
