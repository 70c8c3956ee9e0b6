"""Adapters of a live stream to frameworks of voice agents; each needs the extra ``agents``.

``livekit``: LiveKit Agents. ``pipecat``: Pipecat. ``webrtc``: tracks for aiortc.
Not here: the stream itself (``emohead.stream``).
"""
