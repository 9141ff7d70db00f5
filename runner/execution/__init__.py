"""Executing a plan: chunks, retries, splitting, recording, and recovery after a crash."""
