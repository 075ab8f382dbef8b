"""What one authority published, read through recorded exchanges: the outbox from where it ended when the plan began."""

from dataclasses import dataclass, field

from harness.drive.exchange import Answer, HttpService, Request
from harness.lanes.secrets import RunSecrets
from harness.model.errors import ProtocolError
from harness.wire.outbox_rows import OutboxPage, outbox_page

OUTBOX = "outbox"
PAGE_ROWS = 5000
_BEFORE_THE_PLAN = -1
_BEYOND_EVERY_ROW = 2**63 - 1


@dataclass(slots=True)
class OutboxReader:
    """Reads the outbox of one authority; `begin` is its last ordinal when the plan began.

    Lanes are shared between plans: what stood there before is no matter of this one, and may be much.
    """

    http: HttpService
    secrets: RunSecrets = field(repr=False)
    begin: int = 0

    async def mark(self) -> None:
        """Notes where the outbox ends now. Where that cannot be read, it is read from its first row later on."""
        page, _ = await self._page(_BEYOND_EVERY_ROW, _BEFORE_THE_PLAN, rows_max=1)
        if page is not None:
            self.begin = page.head_ordinal

    async def read(self, step: int) -> str:
        """Reads every page since the plan began, to the ordinal that the first one names as the last, or an empty page.

        Why it could not be read; empty where it was. An outbox that ends below its mark has begun anew, and is read
        from its first row.
        """
        page, why = await self._page(self.begin, step)
        if page is not None and page.head_ordinal < self.begin:
            self.begin = 0
            page, why = await self._page(0, step)
        after, last = self.begin, 0 if page is None else page.head_ordinal
        while page is not None and after < last:
            reached = max((row.ordinal for row in page.rows), default=last)
            if reached <= after:
                return f"its page after {after} ends at {reached}, and {last} is named as the last ordinal"
            after = reached
            if after < last:
                page, why = await self._page(after, step)
        return why

    async def _page(self, after: int, step: int, rows_max: int = PAGE_ROWS) -> tuple[OutboxPage | None, str]:
        headers = {"Authorization": f"Bearer {self.secrets.log_token()}"}
        request = Request("GET", outbox_path(after, rows_max), headers, OUTBOX, step=step)
        answer = await self.http.exchange(request)
        if answer.outcome != "ok":
            return None, _what(answer)
        try:
            return outbox_page(answer.body), ""
        except ProtocolError as error:
            return None, str(error)


def outbox_path(after: int, rows_max: int) -> str:
    """Path of one page of the outbox."""
    return f"/internal/v1/outbox?after={after}&limit={rows_max}"


def _what(answer: Answer) -> str:
    return answer.error or f"the outbox was answered with status {answer.status}"
