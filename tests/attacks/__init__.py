"""Attacks on a service by name, from outside, each with what it got; docs/security.md has the table."""
