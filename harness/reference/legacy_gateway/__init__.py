"""The legacy lane as a reference implementation: topic WebSocket replay and poll (contract sections 2, 3, 7.1)."""
