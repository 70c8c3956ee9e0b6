"""TensorRT engines: profiles, build, store and runner. Empty so far; README.md says what comes."""
