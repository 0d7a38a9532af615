"""The timer: every clock of the suite (Art. 13, 14, 22)."""
