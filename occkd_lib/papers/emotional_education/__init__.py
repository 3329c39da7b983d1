"""Emotional education: coarse and fine expressions, no occlusion. Its tables as printed; what of
the book corresponds to them, nothing says yet."""

from importlib import resources

from occkd_lib.papers.base import Paper, PublishedTable

NUMBERS = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "text IV-E")
PAPER = Paper(
    name="emotional_education",
    title="the paper on emotional education",
    folder=resources.files(__name__),
    tables={
        number: PublishedTable(
            f"Facial expression ({number} of emotional education)",
            ("expression",),
            f"emotional-education-{number.lower().replace(' ', '-')}",
            key=f"emotional education {number}",
        )
        for number in NUMBERS
    },
    cited="reference",
)
