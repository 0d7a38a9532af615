"""What signing does unasked by anybody over HTTP: over batches of events, and when an authority revokes."""
