"""Commands for scripts: one short file each. Their output is a promise."""
