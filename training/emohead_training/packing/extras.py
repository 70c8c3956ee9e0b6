"""What trainings need beside the corpus: the perceptual net, labelled portraits, digital actors.

Called by ``packing.py``. Not here: clips and voices (``groups.py``).
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import torch

from emohead_training.loop.tensor_file import write_tensors
from emohead_training.packing.features import npz_bytes
from emohead_training.portrait.frames import portrait_samples
from emohead_training.recipe_book import config_of
from emohead_training.renderer.critic_nets import VGG_FILES
from emohead_training.renderer.losses import vgg_tensors
from emohead_training.stylisation.digital import ACTOR_FACES_FILE, read_people, write_people
from emohead_training.voice.actor_speech import (
    ACTOR_SPEECH_FILE,
    read_actor_speech,
    write_actor_speech,
)

__all__ = ["actor_files", "perceptual_files", "portrait_files"]

_JPEG_QUALITY: Final = 92
_RECIPE: Final = "default"


def perceptual_files(data: Path) -> dict[str, bytes]:
    """First layers of the corpus's VGG-19 in half precision, readable without onnx; or nothing."""
    found = next((data / name for name in VGG_FILES if (data / name).is_file()), None)
    if found is None:
        return {}
    half = {name: tensor.to(torch.float16) for name, tensor in vgg_tensors(found).items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.safetensors"
        write_tensors(path, half)
        return {VGG_FILES[1]: path.read_bytes()}


def portrait_files(data: Path) -> dict[str, bytes]:
    """Still portraits as squares of frame size with the teachers' labels; or nothing."""
    files = {}
    for sample in portrait_samples(data):
        name = f"portraits/{sample.person.removeprefix('portrait:')}"
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        picture = cv2.cvtColor(sample.image, cv2.COLOR_RGB2BGR)
        files[f"{name}.jpg"] = cv2.imencode(".jpg", picture, quality)[1].tobytes()
        points = {"landmarks": sample.landmarks, "outline": sample.outline}
        files[f"{name}.npz"] = npz_bytes(points)
    return files


def actor_files(cache: Path, seed: int, say: Callable[[str], None]) -> dict[str, bytes]:
    """Let the default recipe's digital actors speak, for lips and for emotions.

    Parameters
    ----------
    cache : Path
        Folder for baked casts.
    seed : int
        Of the training that will read them.
    say : callable
        Told what takes long.

    Raises
    ------
    InputError
        anny or a synthesizer is not installed.
    """
    styles, lips = config_of(_RECIPE, "emotion_landmarks"), config_of(_RECIPE, "neutral_landmarks")
    faces, speech = io.BytesIO(), io.BytesIO()
    say("digital actors: faces in every emotion")
    write_people(read_people(styles.num_actors, cache, progress=say), faces)
    say("digital actors: speech")
    clips = read_actor_speech(
        cache, num_people=lips.num_actors, count=lips.num_actor_clips, seed=seed, progress=say
    )
    write_actor_speech(clips, speech)
    return {ACTOR_FACES_FILE: faces.getvalue(), ACTOR_SPEECH_FILE: speech.getvalue()}
