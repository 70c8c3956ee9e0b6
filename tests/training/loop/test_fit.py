"""The training loop: budgets, progress, curves, records."""

import json

import pytest

torch = pytest.importorskip("torch")

from emohead.errors import InputError  # noqa: E402
from emohead_training.loop import Budget, RunConfig, fit, load_weights, weights_path  # noqa: E402

from .tasks import Chancy, Line  # noqa: E402


def _run(folder, steps, **others):
    return RunConfig(data=folder, out=folder, device="cpu", steps=steps, **others)


def test_training_learns_and_ships_averaged_weights(tmp_path):
    task = Line()
    figures = fit(task, _run(tmp_path, 300), Budget(steps=1), ema_decay=0.9)
    assert figures["weight"] == pytest.approx(2.0, abs=0.05)
    loaded = torch.nn.Linear(1, 1)
    load_weights(loaded, weights_path(tmp_path, "line"), "net")
    assert loaded.weight.item() == pytest.approx(figures["weight"])


def test_weights_of_a_stage_that_was_not_trained_are_asked_for(tmp_path):
    with pytest.raises(InputError, match="run `emohead-train autovc` with the same --out first"):
        load_weights(torch.nn.Linear(1, 1), weights_path(tmp_path, "autovc"), "net")


def test_a_spent_time_budget_ends_the_run(tmp_path):
    run = RunConfig(data=tmp_path, out=tmp_path, device="cpu", minutes=0.0)
    assert fit(Line(), run, Budget(steps=10)) == {}


def test_gradients_are_clipped_where_the_task_says_so(tmp_path):
    task = Line()
    task.optimizers = {"all": torch.optim.SGD(task.net.parameters(), lr=1.0)}
    task.clip_norms = {"all": 0.01}
    before = torch.cat([p.detach().flatten().clone() for p in task.net.parameters()])
    fit(task, _run(tmp_path, 1), Budget(steps=1))
    after = torch.cat([p.detach().flatten() for p in task.net.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_progress_is_told_after_every_step(tmp_path):
    told = []
    fit(Line(), _run(tmp_path, 30, progress=told.append), Budget(steps=1))
    assert [p.step for p in told] == list(range(1, 31))
    assert told[-1].budget.steps == 30
    assert told[-1].figures["weight"] == pytest.approx(0.9, abs=0.9)
    assert told[0].figures == {}


def test_curves_and_pictures_go_to_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    task = Line()
    task.pictures = lambda: {"face": torch.zeros(4, 6, 3, dtype=torch.uint8).numpy()}
    fit(task, _run(tmp_path, 60, tensorboard=True), Budget(steps=1))
    events = EventAccumulator(str(tmp_path / "line" / "events"))
    events.Reload()
    assert events.Tags()["images"] == ["face"]
    assert [e.step for e in events.Scalars("train/loss")] == [25, 50, 60]
    assert events.Scalars("rate/all")[0].value == pytest.approx(0.05)
    assert events.Scalars("validation/weight")[0].step == 60


def test_the_record_tells_how_the_weights_came_about(tmp_path):
    (tmp_path / "video.csv").write_text("file\n")
    task = Line()
    task.config = Budget(steps=7, minutes=2.5)
    task.facts = {"perceptual": "vgg"}
    fit(task, _run(tmp_path, 3, seed=4), Budget(steps=1, minutes=9))
    record = json.loads((tmp_path / "line" / "run.json").read_text())
    assert record["config"] == {"steps": 7, "minutes": 2.5}
    assert record["budget"] == {"steps": 3, "minutes": 9}
    assert record["run"]["seed"] == 4
    assert record["facts"] == {"perceptual": "vgg"}
    assert record["libraries"]["torch"] == torch.__version__
    assert len(record["data_sha256"]) == 64


def test_no_checkpoint_is_a_pickle(tmp_path):
    fit(Chancy(), _run(tmp_path, 2), Budget(steps=1))
    files = [p for p in (tmp_path / "chancy").rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".safetensors", ".json"}


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-true", "half"])
def test_a_precision_that_would_scale_gradients_or_do_nothing_is_refused(tmp_path, precision):
    with pytest.raises(InputError, match="expected a precision among 32-true, bf16-mixed"):
        RunConfig(data=tmp_path, out=tmp_path, precision=precision)
