"""Programs that run inside a peer's environment, or as a plain floor; never imported."""
