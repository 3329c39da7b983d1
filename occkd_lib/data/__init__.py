"""Faces: one reader a data set, all giving a FaceSet."""

from occkd_lib.data.faceset import EXPRESSIONS, GENDERS, SPLITS, FaceSet
from occkd_lib.data.registry import data_root, load_faces

__all__ = ["EXPRESSIONS", "GENDERS", "SPLITS", "FaceSet", "data_root", "load_faces"]
