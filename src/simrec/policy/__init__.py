"""House rules: what may stand in a block, and in what order after ranking."""
