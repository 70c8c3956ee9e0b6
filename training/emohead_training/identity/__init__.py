"""Training of the project's own identity net on the corpus' people (paper 3.4, local identity loss)."""
