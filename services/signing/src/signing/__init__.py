"""Signing: seals made inside the token (Art. 10, 14, 16)."""
