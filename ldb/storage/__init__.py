"""The users' data: where it lies, how it is listed and read. Never written to, but for
copies into a read-add location that the user asked for.
"""
