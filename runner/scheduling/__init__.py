"""Scheduling: what is due is run, and people are told what did not happen.

:mod:`waiting` knows what windows wait for, :mod:`selection` decides what a pass runs, :mod:`passes`
makes one pass, :mod:`serving` makes them for ever, :mod:`deadlines` finds what did not happen,
:mod:`notify` tells people.
"""
