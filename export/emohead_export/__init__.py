"""From trained PyTorch modules to a verified bundle of ONNX graphs."""
