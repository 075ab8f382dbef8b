"""Faults that are faults: what they need from outside a lane, and what can be seen of them.

Nothing here decides what to break. Who carries out a plan does, and writes down what was observed: a fault without
proof has not happened (architecture, 3 and 6).
"""
