"""What intake alone decides, by subject; pure: time, catalogue and what is known are handed in."""

from intake.domain import admission, given, notices, policies, progress, withdrawals

__all__ = ("admission", "given", "notices", "policies", "progress", "withdrawals")
