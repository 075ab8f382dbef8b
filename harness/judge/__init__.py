"""Findings graded, floors counted, one verdict: a pure function of recording, policy and harness version."""
