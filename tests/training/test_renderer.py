"""Video synthesis networks against their specs, the warp prior, patches, and the training step."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from emohead.contract import sample_inputs, shape_of  # noqa: E402
from emohead.stages import PORTRAIT_ENCODER, RENDERER  # noqa: E402
from emohead_training.loop import Budget  # noqa: E402
from emohead_training.models.components import PARTS, PatchBox  # noqa: E402
from emohead_training.models.drawing import Drawing, pixel_axis, unit_from_px  # noqa: E402
from emohead_training.models.identity import IdentityNet  # noqa: E402
from emohead_training.models.portrait_encoder import PortraitEncoder  # noqa: E402
from emohead_training.models.renderer import Renderer  # noqa: E402
from emohead_training.models.warp import WarpPrior  # noqa: E402
from emohead_training.renderer.augment import batch_of, mirrored_batch  # noqa: E402
from emohead_training.renderer.dataset import Sample  # noqa: E402
from emohead_training.renderer.losses import IdentityFeatures  # noqa: E402
from emohead_training.renderer.task import RendererConfig, RendererTask  # noqa: E402


def _inputs(spec, size="opt"):
    return [torch.from_numpy(v) for v in sample_inputs(spec, size).values()]


@pytest.mark.parametrize(
    ("module", "spec"), [(PortraitEncoder, PORTRAIT_ENCODER), (Renderer, RENDERER)]
)
def test_outputs_have_the_shapes_of_the_spec(module, spec):
    with torch.no_grad():
        outputs = module().eval()(*_inputs(spec))
    assert [tuple(o.shape) for o in outputs] == [shape_of(t) for t in spec.outputs]


def _face():
    return unit_from_px(torch.from_numpy(sample_inputs(RENDERER, seed=3)["landmarks"]))


def test_warp_is_nothing_where_landmarks_did_not_move():
    face = 0.6 * _face()
    flow, near = WarpPrior()(face, face)
    assert float(flow.abs().max()) < 1e-5
    assert float(near.max()) == 1.0
    assert float(near.min()) == 0.0


def test_warp_carries_a_moved_face_back_to_the_anchor():
    anchor = _face()
    points = anchor + torch.tensor([0.05, -0.03])
    flow, _ = WarpPrior()(points, anchor)
    column, row = ((points[0, 30] + 1) * 32 - 0.5).round().long().tolist()
    np.testing.assert_allclose(flow[0, :, row, column], [-0.05, 0.03], atol=3e-3)


def test_cutting_then_pasting_restores_the_patch_inside_its_feather():
    torch.manual_seed(0)
    image = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 264, 264), 9, 1)
    box = PatchBox(PARTS[0], _face())
    patch = box.cut(image, 256)
    pasted = box.paste(patch, torch.zeros_like(image), 256)
    column, row = ((box.centre[0, 0] + 1) * 128).long().tolist()
    inside = (..., slice(row - 20, row + 20), slice(column - 20, column + 20))
    assert float((pasted - image)[inside].abs().max()) < 0.03
    assert float(pasted[..., :5, :5].abs().max()) == 0.0


def test_drawing_is_one_on_a_line_and_fades_off_it():
    points = torch.zeros(1, 68, 2)
    points[0, 0], points[0, 1] = torch.tensor([-0.5, 0.0]), torch.tensor([0.5, 0.0])
    axis = pixel_axis(65)[None]
    drawn = Drawing((((0, 1),),), width=0.05)(points, axis, axis)
    picture = drawn.reshape(65, 65)
    assert float(picture[32, 32]) == pytest.approx(1.0, abs=1e-3)
    assert float(picture[0, 32]) < 1e-6
    assert float(picture[32, 0]) < 1e-3


def test_drawing_measures_to_the_nearest_point_of_a_slanted_line():
    points = torch.zeros(1, 68, 2)
    points[0, 0], points[0, 1] = torch.tensor([-0.4, -0.2]), torch.tensor([0.3, 0.5])
    x, y = torch.tensor([[0.25, -0.9]]), torch.tensor([[0.1, 0.6, -0.3]])
    drawn = Drawing((((0, 1),),), width=0.3)(points, x, y)[0, 0]
    along = torch.linspace(0, 1, 20001)[:, None]
    line = points[0, 0] + along * (points[0, 1] - points[0, 0])
    for row, column in np.ndindex(3, 2):
        at = torch.stack((x[0, column], y[0, row]))
        wanted = torch.exp(-(line - at).square().sum(-1).min() / (2 * 0.3**2))
        assert float(drawn[row, column]) == pytest.approx(float(wanted), abs=1e-4)


def test_mirroring_twice_is_nothing():
    images, points = torch.rand(2, 3, 256, 256), torch.rand(2, 68, 2) * 256
    twice = mirrored_batch(*mirrored_batch(images, points))
    torch.testing.assert_close(twice[0], images)
    torch.testing.assert_close(twice[1], points)


def _sample(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (3, 8, 8, 3)).astype(np.uint8)
    frames = coarse.repeat(32, 1).repeat(32, 2)
    points = sample_inputs(RENDERER, seed=seed)["landmarks"]
    return Sample(frames[0], points[0], frames[1:], np.concatenate((points, points + 1.0)))


class _OneSample:
    """A frame cache of one sample."""

    index = ({"runs": [[0]]},)

    def draws(self, seed, length):
        while True:
            yield self.sample(0, 0, length)

    def sample(self, clip, run, length):
        one = _sample(0)
        return Sample(one.anchor, one.anchor_landmarks, one.frames[:length], one.landmarks[:length])


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["local", "global"])
def test_one_batch_is_learnt(phase):
    from lightning.fabric import Fabric

    torch.manual_seed(0)
    cache, net = _OneSample(), IdentityNet()
    config = RendererConfig(
        phase=phase,
        budget=Budget(steps=10),
        batch=1,
        run_length=2,
        learning_rate=1e-3,
        critics_from_step=7,
    )
    task = RendererTask(config, cache, cache, IdentityFeatures(net), net)
    batch, fabric = batch_of([_sample(0)], None), Fabric(accelerator="cpu")
    before = float(task.step(batch, 0, fabric)["pixel"])
    for step in range(1, 10):
        figures = task.step(batch, step, fabric)
    assert float(figures["pixel"]) < 0.9 * before
    assert figures["critic_features"] < 2.0
    assert set(task.validate()) == {"val_frame", "val_mouth", "val_features"}


@pytest.mark.parametrize("steps", [10, 1400])
def test_rates_rise_fall_and_end_at_a_twentieth(steps):
    net = IdentityNet()
    config = RendererConfig(phase="local", budget=Budget(steps=steps), learning_rate=1.0)
    task = RendererTask(config, _OneSample(), _OneSample(), IdentityFeatures(net), net)
    rates = []
    for step in range(steps + 1):
        task._set_rates(step)
        rates.append(task.optimizers["networks"].param_groups[0]["lr"])
    highest = rates.index(max(rates))
    assert max(rates) > 0.9
    assert highest <= 50
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[-1] == pytest.approx(0.05)
