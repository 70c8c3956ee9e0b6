"""From voice to neutral lips: corpora, training of AutoVC and of the landmark network, measures."""
