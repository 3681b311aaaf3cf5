"""Embedders: texts in, unit rows out, as scikit-learn transformers; and the cache of what they made."""
