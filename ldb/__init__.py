"""LDB (Label Database): Git for labelled data."""

__version__ = "0.8.0"
