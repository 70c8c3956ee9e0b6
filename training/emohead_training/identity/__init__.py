"""Training of the project's own identity net, for the local identity loss (paper 3.4)."""
