"""Training of the portrait stages: face detector and landmarker, distilled on labelled clips."""
