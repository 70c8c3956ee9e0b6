"""Emotion in landmarks: template, data, losses, training and measuring of the generator G."""
