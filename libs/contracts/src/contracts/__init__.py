"""The words of the joint-approval bus: every event, term, code and topic, and nothing that does I/O."""
