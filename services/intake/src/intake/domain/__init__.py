"""What intake alone decides, by subject; pure: time, catalogue and what is known are handed in."""

from intake.domain import admission, documents, given, notices, policies, progress, withdrawals

__all__ = ("admission", "documents", "given", "notices", "policies", "progress", "withdrawals")
