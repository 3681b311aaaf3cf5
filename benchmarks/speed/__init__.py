"""Speed of simrec beside what a user would pick instead, and beside what the machine can do: a module a benchmark."""
