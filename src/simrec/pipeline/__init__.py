"""The pipeline: the only package that wires the parts. One module a command."""
