"""Signing's SQL, by subject: one statement per step, over arrays where a batch needs it."""

from signing.store import logins, losses, papers, roster, seals

__all__ = ("logins", "losses", "papers", "roster", "seals")
