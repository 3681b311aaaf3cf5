"""Blocks: a ranking becomes a frozen value, then JSON or accessible HTML."""
