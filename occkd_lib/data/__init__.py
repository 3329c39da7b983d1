"""Faces: one file a data set in ``readers``, all giving a FaceSet."""

from occkd_lib.data.dataset import DataSet, DataSettings, data_root
from occkd_lib.data.faceset import SPLITS, FaceSet
from occkd_lib.data.readers import DATA_SETS
from occkd_lib.data.registry import data_set, load, load_faces, load_once, locate, parse_data
from occkd_lib.data.vocabularies import EXPRESSIONS, GENDERS, VOCABULARIES, mapping, relabelled

__all__ = [
    "DATA_SETS",
    "EXPRESSIONS",
    "GENDERS",
    "SPLITS",
    "VOCABULARIES",
    "DataSet",
    "DataSettings",
    "FaceSet",
    "data_root",
    "data_set",
    "load",
    "load_faces",
    "load_once",
    "locate",
    "mapping",
    "parse_data",
    "relabelled",
]
