"""The law as pure functions over frozen data: no I/O, and never asking what time it is."""
