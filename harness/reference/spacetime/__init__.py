"""A stand-in for SpacetimeDB 1.2 with the sync module: its HTTP API and its v1.json WebSocket protocol."""
