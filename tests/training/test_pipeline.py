"""All stages in order: skipping, continuing, refusing, and every stage in every recipe."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402

from emohead.errors import InputError  # noqa: E402
from emohead_training import pipeline, recipe_book, trainers  # noqa: E402
from emohead_training.loop import Budget, RunConfig, fit  # noqa: E402
from emohead_training.pipeline import StageError, train_all  # noqa: E402
from emohead_training.recipe_book import RECIPES, check_corpus, config_of  # noqa: E402
from emohead_training.trainers import TRAINERS, train_stage  # noqa: E402

from .loop.tasks import Line  # noqa: E402


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stage", TRAINERS)
def test_every_stage_has_every_recipe(stage, recipe):
    config = config_of(recipe, stage)
    assert dataclasses.is_dataclass(config)
    assert config.budget.steps > 0


def test_the_papers_settings():
    ravdess = {stage: config_of("paper_ravdess", stage) for stage in TRAINERS}
    assert ravdess == {stage: config_of("paper_crema_d", stage) for stage in TRAINERS}
    for stage in ("neutral_landmarks", "emotion_encoder", "emotion_landmarks"):
        assert ravdess[stage].learning_rate == 1e-4
    for stage in ("renderer_local", "renderer_global"):
        assert ravdess[stage].learning_rate == 2e-4
        assert not ravdess[stage].use_warp
    style = ravdess["emotion_landmarks"]
    weights = (style.adversarial_weight, style.class_weight, style.cycle_weight)
    assert weights == (1.0, 10.0, 10.0)


def test_the_papers_recipes_train_on_their_corpus_alone():
    assert config_of("paper_ravdess", "emotion_landmarks").num_actors == 0
    assert config_of("paper_ravdess", "neutral_landmarks").num_actor_clips == 0


def test_an_unknown_recipe_or_stage_is_refused():
    with pytest.raises(InputError, match="expected a recipe among smoke, default"):
        config_of("huge", "autovc")
    with pytest.raises(InputError, match="expected a stage among face_detector"):
        trainers.trainer_of("nose")


def _voices(root, rows):
    root.mkdir(exist_ok=True)
    lines = ["file,dataset,speaker,split,emotion", *rows]
    (root / "audio.csv").write_text("\n".join(lines) + "\n")
    return root


def test_a_paper_recipe_wants_its_corpus_and_its_test_people(tmp_path):
    good = _voices(tmp_path / "a", ["a,ravdess,01,train,sad", "b,ravdess,03,test,sad"])
    check_corpus("paper_ravdess", good)
    check_corpus("default", tmp_path / "nowhere")
    mixed = _voices(tmp_path / "b", ["a,ravdess,01,train,sad", "b,crema-d,1001,train,sad"])
    with pytest.raises(InputError, match="alone, .* also holds crema-d"):
        check_corpus("paper_ravdess", mixed)
    leaky = _voices(tmp_path / "c", ["a,ravdess,01,train,sad", "b,ravdess,03,train,sad"])
    with pytest.raises(InputError, match="Table 4, .* has ravdess-03 on the wrong side"):
        check_corpus("paper_ravdess", leaky)


@pytest.mark.parametrize(
    ("clip", "complaint"),
    [
        ("digital-actors,a-1,train", "also holds digital-actors"),
        ("ravdess,ravdess-04,val", "04 on"),
    ],
)
def test_a_paper_recipe_looks_at_faces_as_well_as_at_voices(tmp_path, clip, complaint):
    root = _voices(tmp_path / "a", ["a,ravdess,01,train,sad", "b,ravdess,03,test,sad"])
    head = "file,source,identity,split,emotion,fps,frames,has_speech,lag_frames"
    (root / "video.csv").write_text(f"{head}\na.mp4,{clip},-,30,9,1,-\n")
    with pytest.raises(InputError, match=complaint):
        check_corpus("paper_ravdess", root)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Config:
    budget: Budget = dataclasses.field(default_factory=lambda: Budget(steps=5))
    rate: float = 0.1


class _Stages:
    """Two stages that train a line; the second reads the first one's weights."""

    def __init__(self, monkeypatch):
        self.config, self.trained, self.fails = _Config(), [], False
        made = {n: trainers.Trainer(module=n, summary="") for n in ("first", "second")}
        made["second"] = dataclasses.replace(made["second"], needs=("first",))
        monkeypatch.setattr(trainers, "TRAINERS", made)
        monkeypatch.setattr(trainers, "import_module", self._module)
        for module in (recipe_book, pipeline):
            monkeypatch.setattr(module, "config_of", lambda recipe, stage: self.config)

    def _module(self, name):
        stage = name.rpartition(".")[2]
        return SimpleNamespace(train=lambda run, config: self.train(stage, run))

    def train(self, stage, run):
        task = Line()
        task.name = stage
        if self.fails and stage == "second":
            raise RuntimeError("out of memory\nand much more")
        self.trained.append(task.name)
        fit(task, run, self.config.budget)


def _train_all(folder, **others):
    said = []
    run = RunConfig(data=folder / "data", out=folder / "out", device="cpu", **others)
    train_all(run, said.append, stages=("first", "second"))
    return said


def test_finished_stages_are_skipped_and_a_failed_one_is_continued(tmp_path, monkeypatch):
    stages = _Stages(monkeypatch)
    stages.fails = True
    with pytest.raises(StageError, match="second failed: RuntimeError: out of memory; start"):
        _train_all(tmp_path)
    stages.fails = False
    assert _train_all(tmp_path) == ["first: finished before, skipped", "second: training"]
    assert stages.trained == ["first", "second"]


def test_a_stage_is_trained_anew_upon_new_weights(tmp_path, monkeypatch):
    _Stages(monkeypatch)
    _train_all(tmp_path)
    run = RunConfig(data=tmp_path / "data", out=tmp_path / "out", device="cpu", steps=9)
    train_stage("first", run)
    said = _train_all(tmp_path)
    assert said[1:] == [
        "second: what it builds upon was trained again, so is it",
        "second: training",
    ]
    history = json.loads((tmp_path / "out" / "second" / "progress.json").read_text())["history"]
    assert [e["step"] for e in history] == [5]


def test_a_larger_budget_continues(tmp_path, monkeypatch):
    stages = _Stages(monkeypatch)
    run = RunConfig(data=tmp_path, out=tmp_path / "out", device="cpu")
    train_all(run, lambda _: None, stages=("first",))
    train_all(dataclasses.replace(run, steps=8), lambda _: None, stages=("first",))
    progress = json.loads((tmp_path / "out" / "first" / "progress.json").read_text())
    assert [e["step"] for e in progress["history"]] == [5, 8]
    assert stages.trained == ["first", "first"]


@pytest.mark.parametrize("change", ["config", "data"])
def test_a_stage_made_of_something_else_is_named_and_kept(tmp_path, monkeypatch, change):
    stages = _Stages(monkeypatch)
    _train_all(tmp_path)
    expected = {"config": "first .*rate was 0.1, is 0.2", "data": "first .*data was"}
    if change == "config":
        stages.config = _Config(rate=0.2)
    else:
        _voices(tmp_path / "data", [])
    with pytest.raises(InputError, match=expected[change]):
        _train_all(tmp_path)


def test_the_command_line_says_which_stage_failed(tmp_path, capsys, monkeypatch):
    from emohead_training import cli

    monkeypatch.setattr("sys.argv", ["emohead-train", "all", "--data", str(tmp_path), "--out", "x"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert "error: the stage face_detector failed: expected an index at" in error
    assert "Traceback" not in error


def test_critic_networks_belong_to_the_renderer_alone():
    from emohead_training.cli import app

    helps = {s: CliRunner().invoke(app, [s, "--help"]).output for s in ("autovc", "renderer_local")}
    assert "--identity-net" in helps["renderer_local"]
    assert "--identity-net" not in helps["autovc"]
    assert all("--devices" in text and "--from-bundle" in text for text in helps.values())


def test_stages_on_several_devices_get_the_options_that_they_have(tmp_path, monkeypatch):
    import subprocess

    from emohead_training import stage_commands

    asked = []

    def ran(command, check):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(stage_commands.subprocess, "run", ran)
    run = RunConfig(data=tmp_path, out=tmp_path, devices=2, perceptual=tmp_path / "vgg.onnx")
    for stage in ("autovc", "renderer_local"):
        stage_commands._train_apart(stage, run)
    assert "--perceptual" not in asked[0]
    assert "--perceptual" in asked[1]


def test_another_critic_network_is_named(tmp_path, monkeypatch):
    stages = _Stages(monkeypatch)
    made = dict(trainers.TRAINERS)
    made["second"] = dataclasses.replace(made["second"], takes_critics=True)
    monkeypatch.setattr(trainers, "TRAINERS", made)
    _train_all(tmp_path)
    (tmp_path / "vgg.onnx").write_bytes(b"layers")
    with pytest.raises(InputError, match="second .*perceptual was None, is"):
        _train_all(tmp_path, perceptual=tmp_path / "vgg.onnx")
    assert stages.trained == ["first", "second"]
