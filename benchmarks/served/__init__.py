"""Load on a service: what asks it, at what rate, and what it is compared with."""
