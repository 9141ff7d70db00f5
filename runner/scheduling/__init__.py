"""Every morning at five: what is due is run, what did not happen is told.

:mod:`waiting` knows what windows wait for, :mod:`choosing` decides what a pass runs, :mod:`passes`
makes one pass, :mod:`serving` makes them for ever, :mod:`absence` finds what did not happen.
"""
