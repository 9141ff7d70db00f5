"""Tell people what is new: it goes into the ledger's outbox, and from there over channels.

No URL, which may hold a password, ever leaves this package, whole or in part: everything that it
says about a channel is in its own words.
"""
