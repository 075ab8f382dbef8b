"""The authority: takes commands over HTTP, numbers every event of a stream, owns the event log.

Contract sections 1.2 to 1.5 and 1.8, with the decisions for reference lanes where the original is silent
or wrong. One process, one SQLite file, one thread: a command is judged, committed and answered without
another one in between, so streams are dense by construction.
"""
