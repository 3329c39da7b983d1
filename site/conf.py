"""Sphinx's settings for the web site; ``make site`` calls it on what stage.py has put together."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from docstrings import as_rst  # noqa: E402 - lies beside this file

project = "Half a face"
copyright = "the occkd authors, MIT licence"
extensions = ["myst_nb", "autoapi.extension", "sphinx_copybutton", "sphinx-mathjax-offline"]
exclude_patterns = ["README.md", "GUIDE.md", "parts"]  # parts of pages

# Notebooks are shown as they are kept: nothing is executed.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

add_module_names = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 88

# The API is read from the source: neither the library nor torch is imported.
autoapi_dirs = [str(HERE.parent / "occkd_lib")]
autoapi_root = "api"
autoapi_template_dir = str(HERE / "templates")
autoapi_keep_files = True
autoapi_add_toctree_entry = False
autoapi_own_page_level = "module"
suppress_warnings = ["autoapi.python_import_resolution"]  # of constants set two at a time
autoapi_options = ["members", "undoc-members", "imported-members"]
autoapi_python_class_content = "class"

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["sort.js"]
html_extra_path = [str(HERE.parent / "build" / "site" / "extra")]
html_copy_source = False
html_use_index = html_domain_indices = False  # search finds it
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"


BARS: dict[int, str] = {}  # side bars of the API's pages, by depth


def one_bar(app, pagename, template, context, doctree):
    """All modules of one depth have the same side bar, in which none stands: make it once."""
    if pagename.startswith(f"{autoapi_root}/") and (make := context.get("toctree")):
        depth = pagename.count("/")
        context["toctree"] = lambda **how: BARS.get(depth) or BARS.setdefault(depth, make(**how))


def plain(app, what, name, obj, options, lines):
    """Docstrings are plain text: put them into the words of reStructuredText."""
    lines[:] = as_rst(lines)


def setup(app):
    """What Sphinx calls at its start."""
    app.connect("autodoc-process-docstring", plain)
    app.connect("html-page-context", one_bar, priority=100)  # before Furo asks for it
    # It only copies files at the end, but does not say that two processes may read pages beside it.
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True
