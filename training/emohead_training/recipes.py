"""Named training configurations: a run is a function that returns a frozen config.

``smoke_<stage>`` takes minutes on two cores, ``default_<stage>`` the time that it says.
Which networks of the default bundle they made is in ``docs/training.md``.
Not here: the meaning of a field, which is documented at its config class beside the stage.
"""

from __future__ import annotations

from emohead_training.emotion.training import EmotionConfig
from emohead_training.identity.train import IdentityConfig
from emohead_training.loop import Budget
from emohead_training.portrait.detector_training import DetectorConfig
from emohead_training.portrait.landmark_training import LandmarkConfig
from emohead_training.renderer.task import RendererConfig
from emohead_training.stylisation.training import EmotionLandmarksConfig
from emohead_training.voice.autovc_training import AutovcConfig
from emohead_training.voice.lips_training import LipsConfig


def smoke_autovc() -> AutovcConfig:
    """Two minutes of synthesised speech and a few dozen steps."""
    return AutovcConfig(budget=Budget(steps=60, minutes=2), synthetic_seconds=120, align=False)


def default_autovc() -> AutovcConfig:
    """Five minutes of one core for the sounds, 24 to train on a shared one, seed 0; not shipped."""
    return AutovcConfig(budget=Budget(steps=3350), schedule_steps=4000)


def smoke_emotion_landmarks() -> EmotionLandmarksConfig:
    """A quarter of a minute: the mean styles, roughly; critics included."""
    return EmotionLandmarksConfig(budget=Budget(steps=100, minutes=2), critic_warmup=50)


def default_emotion_landmarks() -> EmotionLandmarksConfig:
    """Train the shipped faces: four minutes of one core, seed 0; needs anny for the actors."""
    return EmotionLandmarksConfig(budget=Budget(steps=5000, minutes=30), num_actors=40)


def smoke_face_landmarks() -> LandmarkConfig:
    """Half a minute: points in about the right place."""
    return LandmarkConfig(budget=Budget(steps=30, minutes=3), warm_up=10)


def default_face_landmarks() -> LandmarkConfig:
    """Train the shipped landmarker: about 15 minutes of one idle core."""
    return LandmarkConfig(budget=Budget(steps=4600, minutes=60))


def smoke_face_detector() -> DetectorConfig:
    """Half a minute: large faces at best."""
    return DetectorConfig(budget=Budget(steps=30, minutes=3), warm_up=8)


def default_face_detector() -> DetectorConfig:
    """Train the shipped detector: about ten minutes of one idle core."""
    return DetectorConfig(budget=Budget(steps=3600, minutes=60))


def smoke_neutral_landmarks() -> LipsConfig:
    """A few dozen steps on the smoke run's voices."""
    return LipsConfig(
        budget=Budget(steps=50, minutes=2),
        synthetic_seconds=120,
        align=False,
        num_actor_clips=0,
        num_spelled=40,
        variants=2,
    )


def default_neutral_landmarks() -> LipsConfig:
    """About seven minutes of one core, half of them for the codes, seed 0; not shipped."""
    return LipsConfig(budget=Budget(steps=650))


def smoke_identity() -> IdentityConfig:
    """A few dozen steps."""
    return IdentityConfig(budget=Budget(steps=40, minutes=2), people_per_batch=6)


def default_identity() -> IdentityConfig:
    """The shipped critic: four minutes on one core."""
    return IdentityConfig(budget=Budget(steps=5000, minutes=4))


def smoke_renderer_local() -> RendererConfig:
    """A few steps, critics included."""
    budget = Budget(steps=16, minutes=3)
    return RendererConfig(phase="local", budget=budget, batch=2, critics_from_step=8)


def default_renderer_local() -> RendererConfig:
    """The component nets, about 37 minutes of one core, so with larger steps than the paper's.

    The shipped run had a constant rate and no critic on features.
    """
    return RendererConfig(
        phase="local",
        budget=Budget(steps=1500),
        learning_rate=7e-4,
        critic_learning_rate=7e-4,
        critics_from_step=900,
    )


def smoke_renderer_global() -> RendererConfig:
    """A few steps of two frames, critics included."""
    budget = Budget(steps=8, minutes=3)
    return RendererConfig(phase="global", budget=budget, batch=1, run_length=2, critics_from_step=4)


def smoke_emotion_encoder() -> EmotionConfig:
    """Half a minute: better than chance at best."""
    return EmotionConfig(budget=Budget(steps=80, minutes=2))


def default_emotion_encoder() -> EmotionConfig:
    """33 minutes of one core and thread, in ``bf16-mixed``, seed 0; not shipped."""
    return EmotionConfig(budget=Budget(steps=13_600, minutes=90))


def default_renderer_global() -> RendererConfig:
    """Three frames a sample, 81 minutes of one busy core in ``bf16-mixed``, from the bundle before.

    The shipped renderer's last run. Before it: 1400 steps with 1.5 on the mouth's features, and 94
    minutes of local and global phase with constant rates and without the critic on features.
    """
    return RendererConfig(
        phase="global",
        budget=Budget(steps=1800),
        batch=2,
        run_length=3,
        learning_rate=2.5e-4,
        critic_learning_rate=5e-4,
        perceptual=0.75,
        perceptual_mouth=2.0,
        critics_from_step=100,
    )
