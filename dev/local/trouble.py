"""Trouble that a person can mend: one line that says what is wrong and what to do."""


class Trouble(Exception):
    """What is wrong, and the mend."""
