"""How everything is measured, in words, for the report; constants come from the protocol.

Called by ``report.py`` and ``html.py``.
"""

from __future__ import annotations

from typing import Final

from emohead_training.evaluation.protocol import PROTOCOL as P

__all__ = ["METHODS"]

METHODS: Final = f"""\
People of the test split are never fitted to. The exported graphs of the bundle are judged, not the
torch modules.

- **Intervals**: {P.resamples} bootstrap resamples of people (speakers, identities), never of
  frames; percentiles of {P.confidence:.0%}. The paper's test lists hold few people, so intervals
  are wide. The Fréchet distance is resampled {P.fid_resamples} times and its resamples are shifted
  to the measured value, because repeated people raise it.
- **Pixels.** True landmarks in. Anchor: the frame of the clip with the most closed mouth.
  {P.frames_per_clip} frames a clip, in the middles of {P.frames_per_clip} equal stretches; the
  recurrent state is carried from the clip's first frame. Mean absolute error over pixels and
  channels, then over frames. Mouth box: the box of the 20 mouth points, {P.mouth_margin_px} px
  larger on every side.
- **warp**: the anchor warped by a thin-plate spline through the 68 true landmarks, border pinned;
  no learning. **copy**: the anchor itself. **mean mouth**: the warp, with the clip's mean mouth in
  place of every mouth.
- **LPIPS-like**: mouth boxes resized to {P.patch_px}x{P.patch_px}, SqueezeNet 1.1 features,
  LPIPS 0.1 linear heads. The backbone's weights are not those that the heads were fitted with,
  hence "like".
- **CSIM**: cosine of identity features with the anchor. Two real frames: mean over all pairs of
  the anchor and the measured true frames of a clip.
- **CPBD**: Narvekar and Karam, 2011, on whole frames, blocks of {P.cpbd_block_px} px, written from
  the paper. The corpus' own frames are soft, so compare with the true frames' value.
- **Fréchet distance**: all measured frames of all test clips against the true ones, features of
  the network that is named above; not Inception, so not the FID of other papers. With so few frames
  it is biased upwards: two halves of the true frames are already far apart.
- **LMD**: the project's landmarker finds the lips in made and in true frames; the 20 points are
  moved to their mean; mean distance in px of the 256 px frame. The paper states no unit.
  Landmark distances in px are between what the landmarker finds and the labels.
- **Sharpness**: mean gradient magnitude of the mouth box over that of the true frame.
- **Flicker**: mean absolute second difference of three consecutive frames, over that of the true
  frames; still skin is the landmarks' hull without {P.face_margin_px} px around mouth, eyes and
  brows, the background begins {P.face_margin_px} px beyond the hull.
- **Lips**: clips with speech; mean distance of the 20 mouth points in canonical space over that of
  the anchor held still. Clips weigh the same.
- **Closure**: {P.synthesised_s:g} s of synthesised speech with exact phoneme times (synthesizers
  that the content code was trained on, sentences it was not); lips are closed when the inner-lip
  gap is within {P.closed_gap:g} canonical units of the portrait's own, in the sound or
  {P.closure_reach_frames} frame beside it. Utterances are resampled here, for their voices are not
  people. A still mouth would be closed always: read it together with the vowels.
- **Quiver**: standard deviation of the mouth's points in the second half of {P.silence_s:g} s of
  white noise at {P.silence_dbfs:g} dBFS after each clip.
- **Lag**: shift within {P.max_lag_frames} frames, at 30 a second, with the largest correlation.
- **From sound**: the clip's most closed frame and its sound go through the whole product, neutral,
  head still, the first {P.speech_frames} frames; lips are found on the rendered frames.
- **Emotion seen**: the most closed frame of each test person and {P.max_portraits} staged
  portraits, asked for six emotions at strength 1, rendered through the whole bundle, judged by a
  network that no training uses; best of its six logits. Its own accuracy on real acted frames
  stands beside it and bounds what can be expected. Detector and landmarker learnt from the
  portraits, no other network did. How strongly each emotion moves a face was tried out on rendered
  frames of train people.
- **Emotion in landmarks**: speech of val and test people, stylised; the same faces tell how well
  the opening is preserved. One judge has seen the people whose acted clips the styles are measured
  on, and flatters. The other has not; it has only one to five people for each emotion, and its
  accuracy on real acted clips stands beside it.
- **Landmarks**: whole frames in, own detector and landmarker, against the teacher's labels; mean
  over people, share of the outer eye corners' distance.
- **Edges**: landmarks to edges and back, started from another frame, from the template and from
  another person.
"""
