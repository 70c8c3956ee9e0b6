"""The training loop: budgets, checkpoints without pickle, resume that continues exactly."""

import json

import pytest

torch = pytest.importorskip("torch")

from emohead_training.loop import Budget, RunConfig, fit, load_weights, weights_path  # noqa: E402


class _Line:
    """Learns y = 2 x with a constant stream of batches."""

    name = "line"

    def __init__(self):
        torch.manual_seed(0)
        self.net = torch.nn.Linear(1, 1)
        self.modules = {"net": self.net}
        self.optimizers = {"all": torch.optim.Adam(self.net.parameters(), lr=0.05)}

    def batches(self, seed):
        while True:
            yield torch.linspace(-1, 1, 8)[:, None]

    def step(self, batch, step, fabric):
        loss = (self.net(batch) - 2 * batch).square().mean()
        self.optimizers["all"].zero_grad()
        fabric.backward(loss)
        self.optimizers["all"].step()
        return {"loss": loss.detach()}

    def validate(self):
        return {"weight": self.net.weight.item()}


def _run(folder, steps):
    return RunConfig(data=folder, out=folder, device="cpu", steps=steps)


def test_training_learns_and_ships_averaged_weights(tmp_path):
    task = _Line()
    figures = fit(task, _run(tmp_path, 300), Budget(steps=1), ema_decay=0.9)
    assert figures["weight"] == pytest.approx(2.0, abs=0.05)
    loaded = torch.nn.Linear(1, 1)
    load_weights(loaded, weights_path(tmp_path, "line"), "net")
    assert loaded.weight.item() == pytest.approx(figures["weight"])


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path):
    whole, half = tmp_path / "whole", tmp_path / "half"
    unbroken = _Line()
    fit(unbroken, _run(whole, 40), Budget(steps=1))
    fit(_Line(), _run(half, 20), Budget(steps=1))
    resumed = _Line()
    fit(resumed, _run(half, 40), Budget(steps=1))
    torch.testing.assert_close(resumed.net.weight, unbroken.net.weight, rtol=0, atol=0)
    history = json.loads((half / "line" / "progress.json").read_text())["history"]
    assert [entry["step"] for entry in history] == [20, 40]


def test_a_spent_time_budget_ends_the_run(tmp_path):
    run = RunConfig(data=tmp_path, out=tmp_path, device="cpu", minutes=0.0)
    assert fit(_Line(), run, Budget(steps=10)) == {}


def test_no_checkpoint_is_a_pickle(tmp_path):
    fit(_Line(), _run(tmp_path, 2), Budget(steps=1))
    assert {p.suffix for p in (tmp_path / "line").iterdir()} == {".safetensors", ".json"}
