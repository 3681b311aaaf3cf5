"""Nearest neighbors by cosine: exact, eligible rows only, the own row masked by its number."""
