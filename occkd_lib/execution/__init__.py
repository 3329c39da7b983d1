"""Executing the book: the graph of its notebooks, guarded notebooks, what a recipe will cost.

Nothing is imported here: every job pays for what this package imports.
"""
