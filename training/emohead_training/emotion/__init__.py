"""Emotion from voice: corpus, augmentation, training and measurement of the encoder E."""
