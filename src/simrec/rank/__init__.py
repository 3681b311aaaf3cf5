"""Ranking: candidates from several embedders, scored part by part, fused into one order, explained."""
