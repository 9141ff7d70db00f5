"""Replay real windows in a scratch copy, and compare what comes out.

:mod:`prove` is the whole of it. :mod:`scope` finds what is built and compared, :mod:`scenarios`
chooses windows and orders, :mod:`scratch` keeps the copies and points dbt at them, :mod:`replay`
runs the scenarios there, :mod:`contents` and :mod:`comparison` read what they leave, and
:mod:`blame` finds the models that have to answer for it.
"""
