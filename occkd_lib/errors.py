"""The one error that a user is meant to read."""


class OcckdError(Exception):
    """Something the user can put right.

    The message is one line: it names the file (and row), says what is wrong and what to do.
    The command line prints it without a traceback and exits with status 2; a notebook shows it
    without one, too.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it in a notebook, instead of a page (``%debug`` still works)."""
        return [f"{type(self).__name__}: {self}"]
