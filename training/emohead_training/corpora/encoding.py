"""Frames and sound as files in memory: H.264 with AAC, and FLAC.

Called by ``records.py``. Not here: rendered videos, which ``emohead.video`` writes and marks as
synthetic.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from av.container import OutputContainer

__all__ = ["flac_bytes", "mp4_bytes"]

_CRF: Final = 18
_AAC_BITS_PER_S: Final = 64_000
_BT709: Final = 1
_LIMITED_RANGE: Final = 1


def mp4_bytes(
    frames: NDArray[np.uint8], audio: NDArray[np.float32] | None, *, fps: int, crf: int = _CRF
) -> bytes:
    """Encode a clip.

    Parameters
    ----------
    frames : (N, height, width, 3) uint8, RGB
        Height and width are even.
    audio : (n,) float32, mono, [-1, 1], 16 kHz, or None
        Begins with the first frame.
    fps : int
    crf : int
        x264's quality, smaller is finer.

    Returns
    -------
    bytes
        An mp4 file with H.264 (BT.709) and, where there is sound, AAC at 16 kHz.
    """
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt, video.options = "yuv420p", {"crf": str(crf), "preset": "medium"}
        codec: Any = video.codec_context
        codec.thread_count, codec.color_range = 1, _LIMITED_RANGE
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        sound = None if audio is None else _audio_stream(container, "aac")
        for index, frame in enumerate(frames):
            rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            yuv = rgb.reformat(
                format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE
            )
            yuv.pts, yuv.time_base = index, Fraction(1, fps)
            container.mux(video.encode(yuv))
        container.mux(video.encode(None))
        if audio is not None:
            _encode_sound(container, sound, audio[None], "fltp")
    return buffer.getvalue()


def flac_bytes(audio: NDArray[np.float32]) -> bytes:
    """Encode sound without loss beyond 16 bits.

    Parameters
    ----------
    audio : (n,) float32, mono, [-1, 1], 16 kHz

    Returns
    -------
    bytes
        A FLAC file of exactly n samples.
    """
    import av

    buffer = io.BytesIO()
    whole = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
    with av.open(buffer, "w", format="flac") as container:
        stream = _audio_stream(container, "flac")
        stream.codec_context.format = "s16"
        _encode_sound(container, stream, whole[None], "s16")
    return buffer.getvalue()


def _audio_stream(container: OutputContainer, codec: str) -> Any:
    stream: Any = container.add_stream(codec, rate=SAMPLE_RATE_HZ, layout="mono")
    if codec == "aac":
        stream.codec_context.bit_rate = _AAC_BITS_PER_S
    return stream


def _encode_sound(
    container: OutputContainer, stream: Any, samples: NDArray[Any], sample_format: str
) -> None:
    import av

    frame = av.AudioFrame.from_ndarray(samples, format=sample_format, layout="mono")
    frame.rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
