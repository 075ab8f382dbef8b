"""Embedded lanes for runs without containers: authority, legacy gateway, SpacetimeDB stand-in, relay.

Each is a process of its own (INV-08), started with `python -m harness.reference.<name>`. Nothing here
imports the rest of `harness` and nothing there imports this: two ends that share code share mistakes.
"""
