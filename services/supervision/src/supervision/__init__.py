"""Supervision: consumes everything; overview, lights, timelines, urges (Art. 21, 22)."""
