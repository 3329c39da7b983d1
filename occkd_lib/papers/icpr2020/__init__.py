"""The conference paper before the journal's: facial expression, Table I."""

from importlib import resources

from occkd_lib.papers.base import Paper, PublishedTable

TITLE = "Facial expression (Table I of the ICPR paper)"
PAPER = Paper(
    name="icpr2020",
    title="the ICPR paper",
    folder=resources.files(__name__),
    tables={"I": PublishedTable(TITLE, ("expression",), "icpr-table1", key="icpr")},
    recipe="icpr2020",
    datasets={("ferplus", "expression"): "FER+", ("affectnet", "expression"): "AffectNet"},
    networks={"vgg_f": "VGG-f", "vgg_face": "VGG-face", "resnet50": "ResNet-50"},
)
