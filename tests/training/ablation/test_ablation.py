"""The ablation from end to end on three drawn people: switches, budgets, skipping, the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402

from emohead.errors import InputError  # noqa: E402
from emohead_training import recipes  # noqa: E402
from emohead_training.ablation.judging import row_synthesis  # noqa: E402
from emohead_training.ablation.table import COLUMNS, markdown_of, table  # noqa: E402
from emohead_training.ablation.training_rows import (  # noqa: E402
    AblationConfig,
    row_folder,
    train_identity,
    train_row,
)
from emohead_training.ablation.variants import VARIANTS, variants_named  # noqa: E402
from emohead_training.cli import app  # noqa: E402
from emohead_training.loop import Budget, save_weights, weights_path  # noqa: E402
from emohead_training.loop.tensor_file import read_tensors  # noqa: E402
from emohead_training.models.identity import IdentityNet  # noqa: E402
from emohead_training.models.portrait_encoder import PortraitEncoder  # noqa: E402
from emohead_training.models.renderer import Renderer  # noqa: E402


def by_name(name: str) -> Any:
    return variants_named([name])[0]


def store(path: Path, modules: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True)
    save_weights(path, modules)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Folder of rows with an identity net that need not be trained."""
    torch.manual_seed(0)
    store(weights_path(tmp_path, "identity"), {"identity": IdentityNet()})
    return tmp_path


def test_every_row_changes_the_one_thing_that_its_name_says() -> None:
    full = recipes.default_renderer_global()
    changed = {
        v.name: [f for f in vars(full) if getattr(v.applied_to(full), f) != getattr(full, f)]
        for v in VARIANTS
    }
    assert changed == {
        "full": [],
        "without_local": ["use_local"],
        "without_identity": ["identity"],
        "without_gru": ["use_gru"],
        "without_warp": ["use_warp"],
    }
    assert by_name("without_identity").applied_to(full).identity == 0
    with pytest.raises(InputError, match="without_ears"):
        variants_named(["without_ears"])


def test_phases_share_the_budget() -> None:
    def budget(**given: Any) -> Budget:
        config = AblationConfig(data=Path(), out=Path(), local_share=0.25, **given)
        return config.phase_budget(Budget(steps=100, minutes=8), "global")

    assert budget() == Budget(steps=100, minutes=8)
    assert budget(minutes=4) == Budget(steps=100, minutes=3)
    assert budget(steps=40) == Budget(steps=30, minutes=None)
    with pytest.raises(InputError, match="local share"):
        AblationConfig(data=Path(), out=Path(), local_share=1.0)


@pytest.mark.parametrize("name", ["full", "without_gru"])
def test_a_row_is_judged_with_its_own_switches(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    renderer = Renderer()
    with torch.no_grad():
        renderer.head.weight.mul_(60)
    config = AblationConfig(data=tmp_path, out=tmp_path)
    modules = {"portrait_encoder": PortraitEncoder(), "renderer": renderer}
    store(weights_path(row_folder(config, by_name(name)), "renderer_global"), modules)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (256, 256, 3)).astype(np.uint8)
    points = rng.uniform(60, 200, (68, 2)).astype(np.float32)
    first, second = row_synthesis(config, by_name(name))(image, points, np.stack([points] * 2))
    assert (first == second).all() == (name == "without_gru")


@pytest.mark.slow
def test_a_row_is_trained_judged_and_not_again(
    corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["ablate", "--data", str(corpus), "--out", str(out), "--recipe", "smoke"]
    given += ["--steps", "2", "--row", "without_local", "--device", "cpu", "--warm-frames", "1"]
    files = ["--json", str(out / "a.json"), "--markdown", str(out / "a.md")]
    done = CliRunner().invoke(app, [*given, *files])
    assert done.exit_code == 0, done.output
    result = json.loads((out / "a.json").read_text())
    assert list(result["rows"]) == ["without_local", "warp_alone"]
    assert result["training"]["without_local"]["local"]["steps"] == 1
    assert result["training"]["without_local"]["global"]["steps"] == 1
    row = result["rows"]["without_local"]
    assert (row["num_frames"], row["num_people"]) == (8, 1)
    assert 0 < row["frame_error"] < 120
    assert row["lmd"] >= 0
    assert "| without local translation |" in (out / "a.md").read_text()

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("trained or judged again")

    monkeypatch.setattr("emohead_training.renderer.train.train", fail)
    monkeypatch.setattr("emohead_training.ablation.ablate.judge", fail)
    again = CliRunner().invoke(app, [*given, "--json", str(out / "b.json")])
    assert again.exit_code == 0, again.output
    assert json.loads((out / "b.json").read_text())["rows"] == result["rows"]

    other = AblationConfig(data=corpus, out=out, recipe="smoke", steps=4)
    with pytest.raises(InputError, match="other settings"):
        train_row(other, by_name("without_local"))
    elsewhere = AblationConfig(data=out / "corpus", out=out, recipe="smoke", steps=2)
    elsewhere.data.mkdir()
    (elsewhere.data / "video.csv").write_text((corpus / "video.csv").read_text() + "\n")
    with pytest.raises(InputError, match="other settings"):
        train_row(elsewhere, by_name("without_local"))


@pytest.mark.slow
def test_the_identity_net_of_all_rows_depends_on_the_seed_alone(
    corpus: Path, tmp_path: Path
) -> None:
    made = []
    for number in range(2):
        torch.manual_seed(number)
        config = AblationConfig(data=corpus, out=tmp_path / str(number), recipe="smoke", steps=2)
        train_identity(config)
        made.append(read_tensors(weights_path(config.out, "identity")))
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())


@pytest.mark.slow
def test_a_stopped_identity_net_is_trained_to_its_end(corpus: Path, out: Path) -> None:
    train_identity(AblationConfig(data=corpus, out=out, recipe="smoke"))
    progress = json.loads((out / "identity" / "progress.json").read_text())
    assert progress["step"] == recipes.smoke_identity().budget.steps


def test_a_missing_corpus_is_one_sentence(tmp_path: Path) -> None:
    given = ["ablate", "--data", str(tmp_path), "--out", str(tmp_path / "o")]
    result = CliRunner().invoke(app, given)
    assert isinstance(result.exception, InputError)
    assert "video.csv" in str(result.exception)


def _result() -> dict[str, Any]:
    numbers = {key: 0.5 for key, _, _ in COLUMNS} | {"csim_ci": [0.4, 0.6]}
    phases = {p: {"steps": 7, "minutes": 1.25} for p in ("local", "global")}
    return {
        "rows": {"full": numbers | {"cpbd_true": 0.7}, "warp_alone": {"cpbd": 0.25}},
        "training": {"full": phases},
        "settings": {"recipe": "smoke", "seed": 0},
        "context": {
            "measured": "2000-01-01",
            "machine": "a machine",
            "device": "a device",
            "judges": ["a judge"],
            "num_frames": 8,
            "num_people": 1,
            "warm_frames": 4,
        },
    }


def test_the_table_shows_intervals_baseline_and_true_frames() -> None:
    lines = table(_result()["rows"]).splitlines()
    assert "0.500 (0.400–0.600)" in lines[2]
    assert lines[3].startswith("| the photo warped, no learning | 0.250 | – |")
    assert lines[4].startswith("| true frames | 0.700 | – | – |")


def test_the_page_prints_the_papers_rows_beside_ours() -> None:
    page = markdown_of(_result())
    assert "| without local translation | 0.312, 0.437 | 39.059, 58.764 |" in page
    assert (
        "| without ConvGRU | 0.274, 0.392 | 52.527, 39.083 | 0.491, 0.555 | 0.720, 0.369 |" in page
    )
    assert "| full model | 7, 1.2 | 7, 1.2 |" in page
    assert "8 frames of 1 people" in page
