"""Side-by-side benchmarks of LDB, its peers and plain loops, over the same generated files.

`python -m bench 1k 10k 100k` (or `make bench SIZES="1k 10k 100k"`) makes the data once,
runs every tool that can be installed, checks that all of them count the same, and prints
one table a size, then every promised figure with its target. How it measures and what is
fair is written in docs/design/004-benchmarks.md.
"""
