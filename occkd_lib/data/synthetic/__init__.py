"""How the built-in faces are drawn; ``readers/synthetic.py`` is the data set that they are."""
