"""Checks of everything that the runner stands on, and a ledger made anew."""
