"""The dispatcher's settings: those of every service."""

from chassis import settings


class Settings(settings.Settings):
    """Nothing of its own."""
