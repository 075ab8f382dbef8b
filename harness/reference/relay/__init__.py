"""The relay: carries the authority's events into one lane, in order per stream, until the lane has them.

It keeps nothing on disk. What a lane has is asked of the lane itself: at the start, twice a second, and
whenever a number does not fit. Delivery never touches the authority's answers (contract 12, INV-08).
"""
