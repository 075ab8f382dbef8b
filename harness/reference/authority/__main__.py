"""`python -m harness.reference.authority`: arguments, wiring, exit codes."""

import argparse
from pathlib import Path

from aiohttp import web

from harness.reference.authority.commands import Authority
from harness.reference.authority.defects import DEFECTS
from harness.reference.authority.event_log import CorruptLog, EventLog
from harness.reference.authority.feeds import FeedRoutes
from harness.reference.authority.gate import Gate
from harness.reference.authority.instants import Clock
from harness.reference.authority.limits import Limits
from harness.reference.authority.routes import CommandRoutes
from harness.reference.defects import add_defect_arguments, defect_lines
from harness.reference.process import add_service_arguments, new_boot_id, run_service
from harness.reference.refusals import json_refusals
from harness.reference.tokens import read_secret_file

BODY_BYTES_MIN = 2 * 1024 * 1024

_EPILOG = """\
example:
  head -c 32 /dev/urandom | base64 > secret
  python -m harness.reference.authority --data-dir data --token-secret-file secret --port 4100

commands and their reads (bearer token with scope sync.append):
  POST /internal/v1/runs                         {worker_id?, metadata?, idempotency_key?}
  POST /internal/v1/runs/{id}/events             {event_type, payload?, idempotency_key?, expected_previous_seq?}
  GET  /internal/v1/runs/{id}?after_seq&limit
  GET  /internal/v1/projectors/checkpoints/{run_id}, .../run-summary/{run_id}, .../drift?topic
  POST /internal/v1/workers                      {worker_id?, owner_user_id | owner_guest_scope, metadata?, ...}
  POST /internal/v1/workers/{id}/heartbeat       {owner_user_id, metadata_patch?, idempotency_key?}
  POST /internal/v1/workers/{id}/status          {owner_user_id, status, reason?, idempotency_key?}
  GET  /internal/v1/workers/{id}?owner_user_id, /internal/v1/workers/{id}/checkpoint

log and outbox (scope sync.log.read):
  GET  /internal/v1/streams
  GET  /internal/v1/streams/{topic}/events?after_seq&limit
  GET  /internal/v1/outbox?after&limit&wait_s    waits until there are rows, at most wait_s seconds

no token: GET /healthz, GET /readyz
"""


def main() -> None:
    """Runs the authority until it is told to stop. Exit 1 if the log is not whole, 2 for wrong arguments."""
    arguments = _parser().parse_args()
    secret = read_secret_file(arguments.token_secret_file)
    authority = _authority(arguments)
    try:
        authority.rebuild()
    except CorruptLog as error:
        raise SystemExit(f"authority: corrupt log in {arguments.data_dir}: {error}") from error
    boot_id = new_boot_id()
    gate = Gate(secret, is_open="no_command_auth" in authority.defects)
    run_service(
        "authority",
        _app(authority, gate, boot_id, max(BODY_BYTES_MIN, 2 * arguments.max_payload_bytes)),
        host=arguments.host,
        port=arguments.port,
        die_with_parent=arguments.die_with_parent,
        boot_id=boot_id,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.reference.authority",
        description="The reference authority: takes commands, numbers events, keeps the event log.",
        epilog=_EPILOG + defect_lines(DEFECTS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, required=True, help="directory of the event log; made if absent")
    add("--token-secret-file", type=Path, required=True, help="file that holds the HS256 secret")
    add("--max-payload-bytes", type=int, default=1_048_576, help="compact JSON of one payload (%(default)s)")
    add("--publish-rate-per-second", type=int, default=100_000, help="events a second, per topic (%(default)s)")
    add("--clock-offset-ms", type=int, default=0, help="moves the instants that it writes (%(default)s)")
    add_defect_arguments(parser, DEFECTS)
    add_service_arguments(parser)
    return parser


def _authority(arguments: argparse.Namespace) -> Authority:
    try:
        log = EventLog(arguments.data_dir)
    except (CorruptLog, OSError) as error:
        raise SystemExit(f"authority: cannot use {arguments.data_dir}: {error}") from error
    return Authority(
        log,
        Clock(arguments.clock_offset_ms),
        Limits(arguments.max_payload_bytes, arguments.publish_rate_per_second),
        frozenset(arguments.defect),
    )


def _app(authority: Authority, gate: Gate, boot_id: str, body_bytes_max: int) -> web.Application:
    app = web.Application(middlewares=[json_refusals], client_max_size=body_bytes_max)
    app.add_routes(CommandRoutes(authority, gate, boot_id).table())
    app.add_routes(FeedRoutes(authority, gate, boot_id).table())

    async def wake_waiting(_app: web.Application) -> None:
        authority.stop_waiting()

    async def close_log(_app: web.Application) -> None:
        authority.close()

    app.on_shutdown.append(wake_waiting)
    app.on_cleanup.append(close_log)
    return app


if __name__ == "__main__":
    main()
