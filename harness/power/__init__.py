"""Power: planted faults on recordings, each with its declared effect, and the proof that each is found."""
