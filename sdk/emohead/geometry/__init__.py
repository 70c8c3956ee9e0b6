"""Face geometry: landmark layout, canonical pose, the edge graph and its representation.

Pure numpy; used by every stage that touches landmarks. Not here: drawing and cameras.
"""

from emohead.geometry.edges import edges_from_landmarks
from emohead.geometry.inverse import landmarks_from_edges
from emohead.geometry.pose import Pose, canonicalise, pose_from_landmarks
from emohead.geometry.topology import NUM_EDGES, TEMPLATE, TOPOLOGY, Topology

__all__ = [
    "NUM_EDGES",
    "TEMPLATE",
    "TOPOLOGY",
    "Pose",
    "Topology",
    "canonicalise",
    "edges_from_landmarks",
    "landmarks_from_edges",
    "pose_from_landmarks",
]
