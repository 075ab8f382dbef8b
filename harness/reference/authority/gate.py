"""Who may ask: bearer tokens and scopes in front of every route but the health ones (contract 7.1)."""

import time
from dataclasses import dataclass

from aiohttp import web

from harness.reference.tokens import Principal, TokenRefused, authenticate, require_scope

COMMAND_SCOPE = "sync.append"
LOG_SCOPE = "sync.log.read"
_ANONYMOUS = Principal("anonymous", None, None, None, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Gate:
    """Checks tokens against one secret and the true time. `is_open` lets commands in without (a defect)."""

    secret: bytes
    is_open: bool

    def admit(self, request: web.Request, scope: str) -> Principal:
        """The caller of a request that needs `scope`. Raises TokenRefused 401 or 403."""
        try:
            principal = authenticate(request.headers.get("Authorization"), self.secret, time.time())
            require_scope(principal, scope)
        except TokenRefused:
            if self.is_open and scope == COMMAND_SCOPE:
                return _ANONYMOUS
            raise
        return principal
