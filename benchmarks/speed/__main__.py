"""`python -m speed TASK`: a contender's process."""

from speed.child import main

main()
