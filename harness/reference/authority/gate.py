"""Who may ask: bearer tokens and scopes in front of every route but the health ones (contract 7.1)."""

from dataclasses import dataclass

from aiohttp import web

from harness.reference.authority.instants import NS_PER_S, Clock
from harness.reference.tokens import Principal, TokenRefused, authenticate, require_scope

COMMAND_SCOPE = "sync.append"
LOG_SCOPE = "sync.log.read"
_ANONYMOUS = Principal("anonymous", None, None, None, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Gate:
    """Checks tokens against one secret and one clock. `is_open` lets commands in without (a defect)."""

    secret: bytes
    clock: Clock
    is_open: bool

    def admit(self, request: web.Request, scope: str) -> Principal:
        """The caller of a request that needs `scope`. Raises TokenRefused 401 or 403."""
        try:
            now_s = self.clock.now_ns() / NS_PER_S
            principal = authenticate(request.headers.get("Authorization"), self.secret, now_s)
            require_scope(principal, scope)
        except TokenRefused:
            if self.is_open and scope == COMMAND_SCOPE:
                return _ANONYMOUS
            raise
        return principal
