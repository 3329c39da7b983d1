"""Methods: one file each. ``METHODS["triplet"]``; what it declares is in ``base.Method``."""

from occkd_lib.methods.base import Arm, Job, Method, Row, Stage, StageSettings
from occkd_lib.methods.control import Control
from occkd_lib.methods.distil import Distil
from occkd_lib.methods.fusion import Fusion
from occkd_lib.methods.ktn import Ktn
from occkd_lib.methods.standard import Standard
from occkd_lib.methods.stsn import Stsn
from occkd_lib.methods.student import Student
from occkd_lib.methods.teacher import Teacher
from occkd_lib.methods.triplet import Triplet

__all__ = ["METHODS", "Arm", "Job", "Method", "Row", "Stage", "StageSettings"]

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Teacher(),
        Student(),
        Control(),
        Standard(),
        Triplet(),
        Distil(),
        Fusion(),
        Ktn(),
        Stsn(),
    )
}
