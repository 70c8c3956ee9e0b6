"""Training of the video synthesis stage (paper 3.4): portrait encoder and renderer."""
