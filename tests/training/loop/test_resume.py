"""Killing training at any moment and starting it again changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from emohead.errors import InputError  # noqa: E402
from emohead_training.loop import Budget, RunConfig, checkpoints, fit  # noqa: E402
from emohead_training.loop.randomness import BLOCK_STEPS, Batches  # noqa: E402
from emohead_training.loop.tensor_file import read_tensors, write_tensors  # noqa: E402

from . import tasks  # noqa: E402
from .tasks import Chancy, Line, Scatter  # noqa: E402

TASKS = Path(tasks.__file__)


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums depend on the number of threads; the programs below train with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _fit(folder, steps, task=None, *, every=90.0, **others):
    task = task or Chancy()
    run = RunConfig(data=folder, out=folder, device="cpu", steps=steps, **others)
    fit(task, run, Budget(steps=1), checkpoint_seconds=every)
    return task


def _tensors(folder, name="chancy"):
    return checkpoints.latest(folder / name).tensors


def _assert_equal(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name


@pytest.mark.parametrize("stop", [3, BLOCK_STEPS, BLOCK_STEPS + 2])
def test_a_resumed_run_ends_bit_by_bit_where_an_unbroken_one_does(tmp_path, stop):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    _fit(whole, BLOCK_STEPS + 5)
    _fit(broken, stop)
    _fit(broken, BLOCK_STEPS + 5)
    _assert_equal(_tensors(whole), _tensors(broken))
    left, right = (f / "chancy" / "weights.safetensors" for f in (whole, broken))
    assert left.read_bytes() == right.read_bytes()
    progress = json.loads((broken / "chancy" / "progress.json").read_text())
    assert [e["step"] for e in progress["history"]] == [stop, BLOCK_STEPS + 5]


def test_checkpoints_and_their_judging_leave_no_trace_in_the_weights(tmp_path):
    often, once = _fit(tmp_path / "often", 4, every=0.0), _fit(tmp_path / "once", 4)
    assert torch.equal(often.net[0].weight, once.net[0].weight)


def test_another_seed_gives_other_weights(tmp_path):
    first, second = _fit(tmp_path / "a", 2), _fit(tmp_path / "b", 2, seed=1)
    assert not torch.equal(first.net[0].weight, second.net[0].weight)


def _program(folder, steps, devices=1, pause=0.0):
    command = [sys.executable, str(TASKS), str(folder), str(steps), str(devices), str(pause)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.mark.slow
def test_a_killed_process_continues(tmp_path):
    killed = _program(tmp_path / "killed", 500, pause=0.02)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "killed").glob("chancy/checkpoint-*")):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    reached = checkpoints.latest(tmp_path / "killed" / "chancy").progress["step"]
    assert 0 < reached < 500
    _fit(tmp_path / "killed", reached + 4)
    _fit(tmp_path / "whole", reached + 4)
    _assert_equal(_tensors(tmp_path / "whole"), _tensors(tmp_path / "killed"))


def test_a_half_written_checkpoint_is_ignored(tmp_path):
    _fit(tmp_path, 3)
    partial = tmp_path / "chancy" / ".checkpoint-00000004.partial"
    partial.mkdir()
    (partial / "tensors-00.safetensors").write_bytes(b"\x10\0\0")
    _fit(tmp_path, 5)
    _fit(tmp_path / "whole", 5)
    _assert_equal(_tensors(tmp_path), _tensors(tmp_path / "whole"))
    assert [p.name for p in (tmp_path / "chancy").glob("*check*")] == ["checkpoint-00000005"]


def test_weights_that_a_kill_left_behind_the_checkpoint_are_published_again(tmp_path):
    _fit(tmp_path, 3)
    weights = tmp_path / "chancy" / "weights.safetensors"
    wanted = weights.read_bytes()
    weights.unlink()
    _fit(tmp_path, 3)
    assert weights.read_bytes() == wanted


def test_starting_anew_forgets_the_longer_run(tmp_path):
    _fit(tmp_path, 6)
    _fit(tmp_path, 2, resume=False)
    assert [p.name for p in (tmp_path / "chancy").glob("*check*")] == ["checkpoint-00000002"]


def test_starting_anew_publishes_the_new_weights_however_many_steps_the_old_had(tmp_path):
    _fit(tmp_path, 2)
    _fit(tmp_path, 2, seed=1, resume=False)
    published = read_tensors(tmp_path / "chancy" / "weights.safetensors")
    stored = _tensors(tmp_path)
    _assert_equal(published, {k: stored[f"average.{k}"] for k in published})


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    _fit(tmp_path, 1, Line())
    other = Line()
    other.net = torch.nn.Linear(1, 2)
    other.modules = {"net": other.net}
    with pytest.raises(InputError, match="line: the checkpoint is of other networks.*--no-resume"):
        _fit(tmp_path, 2, other)


def test_files_are_those_of_the_safetensors_library(tmp_path):
    from safetensors.torch import load_file, save_file

    kinds = (torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.uint8)
    made = {str(k): (torch.arange(6).reshape(2, 3) % 5).to(k) for k in kinds}
    made |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5)}
    write_tensors(tmp_path / "ours", made)
    save_file(made, tmp_path / "theirs", {"step": "3"})
    _assert_equal(load_file(tmp_path / "ours"), made)
    _assert_equal(read_tensors(tmp_path / "theirs"), made)
    (tmp_path / "ours").write_bytes((tmp_path / "ours").read_bytes()[:-1])
    with pytest.raises(InputError, match="cut off"):
        read_tensors(tmp_path / "ours")


@pytest.mark.slow
def test_two_processes_train_one_network_on_the_mean_of_their_gradients(tmp_path):
    assert _program(tmp_path, 3, devices=2).wait(timeout=120) == 0
    task = Scatter()
    streams = [Batches(task, 0, rank, 0) for rank in range(2)]
    for step in range(3):
        task.optimizers["all"].zero_grad()
        batch = torch.cat([s.at(step) for s in streams])
        (task.net(batch) - 2 * batch).square().mean().backward()
        task.optimizers["all"].step()
    trained = _tensors(tmp_path, "scatter")["live.net.weight"]
    torch.testing.assert_close(trained, task.net.weight.detach())
