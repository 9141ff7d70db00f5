"""What is true of windows, plans and verdicts: pure, without a clock, without I/O."""
