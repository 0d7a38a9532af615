"""The dispatcher: the stage as a process (Art. 9, 13, 15)."""
