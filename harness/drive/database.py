"""A lane that is a database, spoken to over HTTP: queries and reducer calls, through recorded exchanges."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from harness.drive.exchange import Answer, HttpService, Request
from harness.lanes.secrets import RunSecrets

READER_SUBJECT = "parity-reader"


@dataclass(frozen=True, slots=True)
class DatabaseClient:
    """One database of one lane."""

    name: str
    http: HttpService
    secrets: RunSecrets

    async def sql(self, query: str, *, purpose: str, step: int, stream: str | None = None) -> Answer:
        """Asks `query` with an identity of the harness's own."""
        return await self._post("sql", query.encode(), READER_SUBJECT, purpose, step, stream)

    async def call(
        self, reducer: str, arguments: Sequence[object], *, subject: str, purpose: str, step: int, stream: str
    ) -> Answer:
        """Calls `reducer` with the identity of `subject`."""
        body = json.dumps(arguments, separators=(",", ":"), ensure_ascii=False).encode()
        return await self._post(f"call/{reducer}", body, subject, purpose, step, stream)

    async def _post(self, route: str, body: bytes, subject: str, purpose: str, step: int, stream: str | None) -> Answer:
        path = f"/v1/database/{quote(self.name, safe='')}/{route}"
        headers = {"Authorization": f"Bearer {self.secrets.target_token(subject)}"}
        if route != "sql":
            headers["Content-Type"] = "application/json"
        return await self.http.exchange(Request("POST", path, headers, purpose, body, step, stream=stream))


def sql_text(text: str) -> str:
    """`text` as a literal of a query."""
    return "'" + text.replace("'", "''") + "'"
