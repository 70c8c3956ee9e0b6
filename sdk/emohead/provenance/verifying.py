"""Whether a video says that it is synthetic, and is still what it says.

Who calls: ``emohead verify``, replaying. Slow to import (pydantic). Not here: rendering again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from emohead.provenance.embedding import Read, Streams, read_video
from emohead.provenance.schema import ClipManifest, Content
from emohead.provenance.signing import Signature, read_signature

__all__ = ["Verdict", "verify_video"]

Finding = Literal["intact", "altered", "missing", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a look at a video found."""

    path: str
    manifest: ClipManifest | None
    """What the file says of itself."""
    problem: str
    """Why there is no manifest; empty where there is one."""
    comment: str
    """The note that the file is synthetic, where it carries one."""
    pictures: Finding
    """Whether the encoded pictures are those that were written, all of them, in their time."""
    sound: Finding
    """Likewise of the sound; ``missing`` where there should be some."""
    signature: Signature
    """Content credentials."""

    @property
    def is_emohead(self) -> bool:
        """Whether the file says that emohead made it."""
        return self.manifest is not None

    @property
    def is_intact(self) -> bool:
        """Whether nothing disagrees with what the file says."""
        streams = {self.pictures, self.sound} <= {"intact"}
        return self.is_emohead and streams and self.signature.state != "invalid"

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        manifest = self.manifest
        return {
            "path": self.path,
            "emohead": self.is_emohead,
            "intact": self.is_intact,
            "pictures": self.pictures,
            "sound": self.sound,
            "comment": self.comment,
            "problem": self.problem,
            "signature": asdict(self.signature),
            "manifest": None if manifest is None else manifest.model_dump(mode="json"),
        }


def verify_video(path: str | Path, *, anchors: bytes | None = None) -> Verdict:
    """Look at a video without decoding it.

    Parameters
    ----------
    path : str or Path
        Video file; whoever made it.
    anchors : bytes, optional
        Root certificates, PEM, that a signature must lead to for being trusted.

    Returns
    -------
    Verdict
        Hashes find damage, re-encoding, cuts and changed speed. They do not tell who made a file:
        whoever changes it can write a manifest that fits. A trusted signature tells.

    Raises
    ------
    InputError
        If the file is missing or no video, or `anchors` holds no certificates.
    """
    read = read_video(path)
    content = None if read.manifest is None else read.manifest.content
    return Verdict(
        path=str(path),
        manifest=read.manifest,
        problem=read.problem,
        comment=read.comment,
        pictures=_pictures(content, read),
        sound=_sound(content, read.streams),
        signature=read_signature(Path(path), anchors),
    )


def _pictures(content: Content | None, read: Read) -> Finding:
    if content is None:
        return "unknown"
    found = read.streams
    is_same = (content.video_sha256, content.num_frames) == (found.video_sha256, found.num_frames)
    return "intact" if is_same and found.is_even else "altered"


def _sound(content: Content | None, found: Streams) -> Finding:
    if content is None:
        return "unknown"
    if found.audio_sha256 == content.audio_sha256:
        return "intact"
    return "missing" if found.audio_sha256 is None else "altered"
