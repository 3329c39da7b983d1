"""The one error that a user is meant to read."""


class OcckdError(Exception):
    """Something the user can put right.

    The message is one line: it names the file (and row), says what is wrong and what to do.
    The command line prints it without a traceback and exits with status 2.
    """
