"""Trained models as files that run without Python: ONNX, with what an engineer needs to know about them."""
