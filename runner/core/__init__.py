"""The pure rules of windows, plans and verdicts, without a clock and without I/O."""
