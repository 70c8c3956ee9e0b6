"""Evaluation on held-out people: pixels, lips, emotion, landmarks, geometry."""
