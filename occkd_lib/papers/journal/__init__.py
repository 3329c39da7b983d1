"""The journal paper: teacher-student training for half-hidden faces, Tables 1 to 4."""

from importlib import resources

from occkd_lib.papers.base import Paper, PublishedTable

FUSION = "SVM on each embedding and on both (the journal's Table 4)"
PAPER = Paper(
    name="journal",
    title="the journal",
    folder=resources.files(__name__),
    tables={
        "1": PublishedTable("Facial expression (the journal's Table 1)", ("expression",), "table1"),
        "2": PublishedTable("Gender (the journal's Table 2)", ("gender",), "table2"),
        "3": PublishedTable("Age (the journal's Table 3)", ("age",), "table3"),
        "4": PublishedTable(FUSION, ("expression", "gender"), "table4"),
    },
    recipe="paper",
    datasets={
        ("ferplus", "expression"): "FER+",
        ("affectnet", "expression"): "AffectNet",
        ("utkface", "gender"): "UTKFace-gender",
        ("utkface", "age"): "UTKFace-age",
    },
    networks={"vgg_f": "VGG-f", "vgg_face": "VGG-face", "resnet50": "ResNet-50"},
)
