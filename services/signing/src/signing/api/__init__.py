"""Signing over HTTP: the roster and its changes, logins, losses of keys."""
