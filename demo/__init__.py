"""`make demo`: the whole loop on real images. Begin with run.py."""
