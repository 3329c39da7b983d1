"""Recognising half-hidden faces: distillation from a teacher that saw the whole face."""

__version__ = "0.1.0"
