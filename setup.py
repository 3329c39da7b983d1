"""The wheel brings the book: notebooks, workflow, models and published tables lie beside the code.

Everything else about the package stands in pyproject.toml.
"""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

PARTS = ("notebooks", "workflow", "models", "outputs/reference")
LEFT_OUT = ignore_patterns(".ipynb_checkpoints", "__pycache__", ".*")


class WithTheBook(build_py):
    """Copies PARTS to occkd_lib/_book, where ``project.bring_book`` looks for them."""

    def run(self):
        """Build as usual, then copy."""
        super().run()
        if not self.editable_mode:
            here, there = Path(__file__).parent, Path(self.build_lib, "occkd_lib", "_book")
            for part in PARTS:
                if (here / part).is_dir():
                    copytree(here / part, there / part, ignore=LEFT_OUT, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithTheBook})
