"""Video out: frames and speech become one H.264 + AAC file that any browser plays.

Encoding runs in a thread beside the caller's inference. The file appears whole or not at all.
Called by ``clip.py``, ``executor/track.py`` and whoever checks an output first.
Not here: rendering frames, reading video.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, Audio
from emohead.errors import EmoheadError, InputError
from emohead.provenance.embedding import TAG, Streams, fill_room, room, streams_of
from emohead.whole_files import check_target, reserve

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from emohead.provenance.schema import ClipManifest
    from emohead.provenance.signing import Signer

__all__ = ["VideoWriter", "check_output", "remove_leftovers"]

Frame = NDArray[np.uint8]

SYNTHETIC_NOTE = "Synthetic video: the face was animated from one photo by emohead."
"""Written into the file, so that software can tell the video from a recording."""
AUDIO_RATE_HZ = 48_000
"""At this rate AAC's 1,024 samples of priming last less than a frame, should a player keep them."""
_BT709 = 1
_LIMITED_RANGE = 1
_QUEUE_FRAMES = 8
_QUEUE_BYTES = 64_000_000
_SMALL_PX = 1_000_000


def check_output(path: str | Path) -> Path:
    """Make sure that a video can be written to `path`, before any work is done.

    Parameters
    ----------
    path : str or Path
        Where the video shall appear; it may exist already.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    InputError
        If the folder is missing or read-only, the file is write-protected or a folder, or the
        name does not end in ``.mp4``.
    """
    return check_target(path, (".mp4",), "output")


def remove_leftovers(folder: Path, stem: str | None = None) -> None:
    """Remove what killed writers left; none may be at work there.

    Parameters
    ----------
    folder : Path
        Where to look; missing is empty.
    stem : str, optional
        Of the video whose leftovers are meant; of every video, in folders below too, otherwise.
    """
    name = ".+" if stem is None else re.escape(stem)
    pattern = re.compile(rf"\.{name}-[0-9a-f]{{8}}\.part", re.DOTALL)
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                Path(entry).unlink(missing_ok=True)
            elif stem is None and entry.is_dir(follow_symlinks=False):
                remove_leftovers(Path(entry))


class VideoWriter:
    """Write frames, and the speech that belongs to them, to an mp4 file.

    Use it as a context manager. Leaving the block normally moves the finished file to its place;
    leaving it by an exception, a keyboard interrupt included, removes every trace.

    Parameters
    ----------
    path : str or Path
        Where the video appears; see `check_output` for what is refused.
    fps : int
        Frames per second, 1 to 240.
    audio : Audio or None
        Speech that starts with the first frame; it is cut where the last frame ends.
    crf : int
        x264's quality, 0 (lossless) to 51.
    describe : callable, optional
        Makes the manifest that goes into the file of what the streams hold; asked twice, first
        for how much room it takes. Without it the file says no more than that it is synthetic.
    sign : Signer, optional
        Adds signed content credentials.

    Raises
    ------
    InputError
        If `path` cannot be written to, or `fps` is out of range.

    Examples
    --------
    >>> with VideoWriter("out.mp4", fps=30, audio=speech) as writer:  # doctest: +SKIP
    ...     for frame in frames:
    ...         writer.write(frame)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: int = 30,
        audio: Audio | None = None,
        crf: int = 18,
        describe: Callable[[Streams], ClipManifest] | None = None,
        sign: Signer | None = None,
    ) -> None:
        if not 1 <= fps <= 240:
            raise InputError(f"the frame rate must be 1 to 240 frames a second, got {fps}")
        self.path = check_output(path)
        self.num_frames = 0
        self._fps, self._audio, self._crf = fps, audio, crf
        self._describe, self._sign = describe, sign
        self._room = ""
        self._pixels = hashlib.sha256()
        self.manifest: ClipManifest | None = None
        self._shape: tuple[int, ...] | None = None
        self._queue: queue.Queue[Frame | None] = queue.Queue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="emohead-encoder", daemon=True)
        self._temporary = reserve(self.path)

    def write(self, frame: Frame) -> None:
        """Queue one frame; waits while the encoder is more than a few frames behind.

        Parameters
        ----------
        frame : (height, width, 3) uint8
            RGB; an odd size is padded by repeating the last row or column.

        Raises
        ------
        InputError
            If the frame has another type or shape than the first one.
        EmoheadError
            If encoding failed, for example because the disk is full.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            got = f"{frame.shape} {frame.dtype}"
            raise InputError(f"a frame must be (height, width, 3) uint8 RGB, got {got}")
        if self._shape is None:
            self._start(frame)
        elif frame.shape != self._shape:
            raise InputError(f"every frame must be {self._shape} as the first, got {frame.shape}")
        self._put(frame.copy())
        self._raise_failure()
        self.num_frames += 1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._thread.is_alive():
                self._put(None)
                self._thread.join()
            if kind is None:
                self._raise_failure()
                if self.num_frames == 0:
                    raise InputError(f"no frame was written to {self.path}: write at least one")
                self._label()
                os.replace(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _label(self) -> None:
        """Fill in the manifest and sign, on the finished file that nobody sees yet."""
        if self._describe is not None:
            streams = streams_of(self._temporary)
            streams = replace(streams, frames_sha256=self._pixels.hexdigest())
            self.manifest = self._describe(streams)
            fill_room(self._temporary, self._room, self.manifest)
        if self._sign is not None:
            signed = reserve(self.path)
            try:
                self._sign.sign(self._temporary, signed, self.manifest)
                os.replace(signed, self._temporary)
            finally:
                signed.unlink(missing_ok=True)

    def _start(self, first: Frame) -> None:
        """Start the encoder, with a queue that holds few frames where they are large."""
        self._shape = first.shape
        if self._describe is not None:
            self._room = room(self._describe(Streams()))
            self._pixels.update(f"{first.dtype.str}{first.shape}".encode())
        self._queue = queue.Queue(max(1, min(_QUEUE_FRAMES, _QUEUE_BYTES // first.nbytes)))
        self._thread.start()

    def _put(self, frame: Frame | None) -> None:
        """Queue an item unless the encoder has died; a plain put would then wait for ever."""
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                return self._queue.put(frame, timeout=0.1)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise EmoheadError(
                f"writing {self.path} failed ({self._failure}): "
                "check the free space of the disk and try again"
            ) from self._failure

    def _run(self) -> None:
        """Encode everything that is queued; the body of the thread."""
        try:
            self._encode(self._queue.get())
        except BaseException as err:
            self._failure = err

    def _encode(self, frame: Frame | None) -> None:
        import av

        assert self._shape is not None
        options = {"movflags": "+faststart"}
        with av.open(str(self._temporary), "w", format="mp4", options=options) as container:
            container.metadata["comment"] = SYNTHETIC_NOTE
            if self._room:
                container.metadata[TAG] = self._room
            picture = _PictureTrack(container, self._shape, self._fps, self._crf)
            speech = _SpeechTrack(container, self._audio) if self._audio is not None else None
            while frame is not None:
                picture.write(frame)
                if self._room:
                    self._pixels.update(np.ascontiguousarray(frame).data)
                if speech is not None:
                    speech.advance_to(Fraction(picture.num_frames, self._fps))
                frame = self._queue.get()
            picture.close()
            if speech is not None:
                speech.close()


class _PictureTrack:
    """The H.264 stream of a container."""

    def __init__(
        self, container: OutputContainer, shape: tuple[int, ...], fps: int, crf: int
    ) -> None:
        self.num_frames = 0
        self._container = container
        self._pad = ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0))
        self._time_base = Fraction(1, fps)
        # Without B-frames decoding order is display order, and every player starts at time zero.
        options = {"crf": str(crf), "preset": "veryfast", "bf": "0", "g": str(2 * fps)}
        self._stream: VideoStream = container.add_stream("libx264", rate=fps, options=options)
        self._stream.height = shape[0] + self._pad[0][1]
        self._stream.width = shape[1] + self._pad[1][1]
        self._stream.pix_fmt = "yuv420p"
        self._tag_colours(self._stream.codec_context)
        # Inference wants the other cores; large pictures need them more.
        self._stream.codec_context.thread_count = 1 if shape[0] * shape[1] < _SMALL_PX else 0

    @staticmethod
    def _tag_colours(codec: Any) -> None:
        codec.color_range = _LIMITED_RANGE
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709

    def write(self, frame: Frame) -> None:
        import av

        padded = np.pad(frame, self._pad, mode="edge") if np.any(self._pad) else frame
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        yuv = rgb.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE)
        yuv.pts, yuv.time_base = self.num_frames, self._time_base
        self._container.mux(self._stream.encode(yuv))
        self.num_frames += 1

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))


class _SpeechTrack:
    """The AAC stream of a container, fed a second at a time."""

    def __init__(self, container: OutputContainer, audio: Audio) -> None:
        import soxr

        self._container = container
        self._audio = audio
        self._end = 0
        self._taken = 0
        self._made = 0
        self._resampler = soxr.ResampleStream(SAMPLE_RATE_HZ, AUDIO_RATE_HZ, 1, dtype="float32")
        self._stream: AudioStream = container.add_stream("aac", rate=AUDIO_RATE_HZ, layout="mono")
        self._stream.codec_context.bit_rate = 96_000

    def advance_to(self, time_s: Fraction) -> None:
        """Allow the speech up to `time_s`; encode once a second of it has gathered."""
        self._end = min(len(self._audio.samples), int(time_s * SAMPLE_RATE_HZ))
        if self._end - self._taken >= SAMPLE_RATE_HZ:
            self._push(last=False)

    def close(self) -> None:
        self._push(last=True)
        self._container.mux(self._stream.encode(None))

    def _push(self, last: bool) -> None:
        block = self._audio.part(self._taken, self._end)
        self._taken = self._end
        made = self._resampler.resample_chunk(block, last=last)
        length = self._taken * (AUDIO_RATE_HZ // SAMPLE_RATE_HZ) - self._made if last else len(made)
        self._encode(np.pad(made[:length], (0, max(0, length - len(made)))))

    def _encode(self, samples: NDArray[np.float32]) -> None:
        import av

        if not len(samples):
            return
        planar = np.clip(samples, -1.0, 1.0)[None]
        frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout="mono")
        frame.rate, frame.time_base = AUDIO_RATE_HZ, Fraction(1, AUDIO_RATE_HZ)
        frame.pts = self._made
        self._made += len(samples)
        self._container.mux(self._stream.encode(frame))
