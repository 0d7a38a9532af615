"""Intake: projects, stage applications, materials, the window desk, what the builder is told (Art. 4, 7–11, 15)."""
