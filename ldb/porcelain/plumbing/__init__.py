"""What the plumbing commands do, as functions that return values.

Porcelain is made of the same parts: a dataset built, committed and compared with these
alone has the same oids.
"""
