"""The machinery under every service: bus, outbox, database, HTTP, identity, health, logs. No law, no trade."""
