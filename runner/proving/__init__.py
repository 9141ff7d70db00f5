"""Replay real windows in a scratch copy, and compare what comes out.

:mod:`scene` says what is built and compared, :mod:`choosing` which windows, :mod:`scenarios` in
which orders. :mod:`scratch` keeps the copies, :mod:`profiles` points dbt at them, :mod:`replay`
runs the scenarios there, :mod:`contents` and :mod:`comparing` read what they leave, :mod:`judging`
says who has to answer for it, and :mod:`prove` is the whole of it.
"""
