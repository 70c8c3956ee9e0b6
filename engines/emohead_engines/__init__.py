"""TensorRT engines: profiles, build, store and runner; README.md maps the modules."""
