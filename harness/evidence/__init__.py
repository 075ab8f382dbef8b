"""Evidence: what a run directory claims, and whether the claim holds when everything is hashed and judged again."""
