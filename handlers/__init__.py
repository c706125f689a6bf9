"""The counter: one file per command.

A handler is an async generator of `Reply` states. It knows no platform and imports no torch; what
it needs it finds in `handlers.kit`, what it draws with in `handlers.drawing`.
"""
