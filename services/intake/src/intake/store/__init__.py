"""Intake's SQL, by subject: one statement per step, over arrays where a batch needs it."""

from intake.store import applications, documents, given, notices, policies, progress, projects, results, withdrawals

__all__ = (
    "applications",
    "documents",
    "given",
    "notices",
    "policies",
    "progress",
    "projects",
    "results",
    "withdrawals",
)
