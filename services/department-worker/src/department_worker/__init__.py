"""The department worker: the item, its state machine, its opinion and decision (Art. 10, 13, 14)."""
