"""The conference paper before the journal's: facial expression, Table I."""

from importlib import resources

from occkd_lib.papers.base import Note, Paper, PublishedTable

PAPER = Paper(
    name="icpr2020",
    title="the ICPR paper",
    folder=resources.files(__name__),
    tables={
        "icpr": PublishedTable(
            "icpr2020", "I", "Facial expression (Table I of the ICPR paper)", ("expression",),
            "icpr-table1",
        )
    },
    recipe="icpr2020",
    datasets={
        ("ferplus", "expression"): "FER+",
        ("affectnet", "expression"): "AffectNet",
    },
    networks={"vgg_f": "VGG-f", "vgg_face": "VGG-face", "resnet50": "ResNet-50"},
    notes=(
        Note(
            {"table": "I", "method": "student_no_distillation", "model": "VGG-face",
             "train_faces": "lower", "dataset": "FER+"},
            "81.28 here, 82.28 in the journal; every other shared cell is identical. Keep both",
        ),
    ),
)  # fmt: skip
