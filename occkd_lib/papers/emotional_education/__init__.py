"""Emotional education: coarse and fine expressions, no occlusion. Its tables as printed; what of
the book corresponds to them, no recipe says yet."""

from importlib import resources

from occkd_lib.papers.base import Paper, PublishedTable

NUMBERS = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "text IV-E")
PAPER = Paper(
    name="emotional_education",
    title="the paper on emotional education",
    folder=resources.files(__name__),
    tables={
        f"emotional education {number}": PublishedTable(
            "emotional_education",
            number,
            f"Facial expression ({number} of emotional education)",
            ("expression",),
            f"emotional-education-{number.lower().replace(' ', '-')}",
        )
        for number in NUMBERS
    },
    cited="reference",
)
