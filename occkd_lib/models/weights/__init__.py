"""Pretrained weights: files, what they become, MatConvNet's format, and loading."""
