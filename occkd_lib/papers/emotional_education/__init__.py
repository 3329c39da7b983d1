"""Emotional education: coarse and fine expressions, no occlusion. Tables II to IX and the coarse
accuracies of Sect. IV-E; ``stages.yaml`` says which stages of ours stand beside which rows."""

from importlib import resources

from occkd_lib.papers.base import Paper, PublishedTable

TITLES = {
    "II": "Losses against imbalance (emotional education, Table II)",
    "III": "Coarse-fine labels and AdaReg (emotional education, Table III)",
    "IV": "What the student learns from (emotional education, Table IV)",
    "V": "Recall of every expression (emotional education, Table V)",
    "VI": "Light networks (emotional education, Table VI)",
    "VII": "Against other works, RAF-DB and AffectNet (emotional education, Table VII)",
    "VIII": "Against other works, FERPlus (emotional education, Table VIII)",
    "IX": "Tested on another data set (emotional education, Table IX)",
    "text IV-E": "Coarse expressions (emotional education, Sect. IV-E)",
}
PAPER = Paper(
    name="emotional_education",
    title="the paper on emotional education",
    folder=resources.files(__name__),
    tables={
        number: PublishedTable(
            title,
            ("expression",),
            f"emotional-education-{number.lower().replace(' ', '-')}",
            key=f"emotional education {number}",
        )
        for number, title in TITLES.items()
    },
    recipe="emotional_education",
    cited="reference",
    datasets={
        ("rafdb", "expression"): "RAF-DB",
        ("affectnet", "expression"): "AffectNet-7",
        ("ferplus", "expression"): "FERPlus",
    },
    classes={"AffectNet-7": 7},
    networks={"resnet18": "ResNet-18", "resnet50": "ResNet-50"},
    how=(
        "Seeds and faces are both random in interval and p. The control is the matched one: the "
        "same network and training without what the row is about. Holm's family is the table."
    ),
)
