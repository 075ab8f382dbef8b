"""`python -m harness.reference.legacy_gateway`: the legacy lane as a process of its own."""

import argparse
from pathlib import Path

from harness.reference.defects import add_defect_arguments, defect_lines
from harness.reference.legacy_gateway.defects import DEFECTS
from harness.reference.legacy_gateway.gateway import Gateway
from harness.reference.legacy_gateway.settings import GatewaySettings
from harness.reference.process import add_service_arguments, new_boot_id, run_service
from harness.reference.tokens import read_secret_file

DESCRIPTION = """\
The legacy lane: topic WebSockets with replay, (topic, sequence) cursors and a bounded window per topic.
It holds everything in memory; after a restart the relay fills it again.

example:
  python -m harness.reference.legacy_gateway --token-secret-file secret.txt --port 4200

endpoints:
  GET  /internal/v1/khala/topics/{topic}/ws?after_seq=0&limit=100         hello, messages, stale_cursor, error
  GET  /internal/v1/khala/topics/{topic}/messages?after_seq=0&limit=100   the same events, polled
  POST /internal/v1/ingest                                                the relay's events (scope sync.ingest)
  GET  /internal/v1/heads                                                 heads and floors (scope sync.ingest)
  GET  /healthz

A topic is percent-encoded in the path (run%3A<id>%3Aevents). Readers send Authorization: Bearer <HS256 token>.
Close codes: 4410 stale_cursor, 4429 slow_consumer_evicted, 1001 at shutdown.
"""
NUMBERS = {
    "retention-events": "events kept per topic",
    "poll-max-limit": "most events in one batch",
    "outbound-queue-limit": "second bound of a batch, as in the original",
    "slow-consumer-lag-threshold": "a reader further behind than this many events gets a strike",
    "slow-consumer-max-strikes": "strikes in a row that evict a reader",
    "fair-topic-slice-limit": "most events in one batch of a reader that reads several topics",
    "poll-interval-ms": "longest wait between two batches of a replay, in milliseconds",
    "poll-min-interval-ms": "two polls of a topic by one reader closer than this, in milliseconds, are refused",
}


def main() -> None:
    """Parses the arguments and serves until SIGTERM."""
    arguments = _parser().parse_args()
    secret = read_secret_file(arguments.token_secret_file)
    boot_id = new_boot_id()
    gateway = Gateway(secret, _settings(arguments), boot_id)
    run_service(
        "legacy_gateway",
        gateway.application(),
        host=arguments.host,
        port=arguments.port,
        die_with_parent=arguments.die_with_parent,
        boot_id=boot_id,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.reference.legacy_gateway",
        description=DESCRIPTION,
        epilog=defect_lines(DEFECTS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_service_arguments(parser)
    parser.add_argument("--token-secret-file", type=Path, required=True, help="file with the HS256 secret")
    defaults = GatewaySettings()
    for name, meaning in NUMBERS.items():
        default = getattr(defaults, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=_positive, default=default, help=f"{meaning} (default {default})")
    parser.add_argument(
        "--replay-budget-events", type=_whole, help="replay budget of all topic classes (default: by class)"
    )
    add_defect_arguments(parser, DEFECTS)
    return parser


def _settings(arguments: argparse.Namespace) -> GatewaySettings:
    numbers = {name.replace("-", "_"): getattr(arguments, name.replace("-", "_")) for name in NUMBERS}
    return GatewaySettings(
        **numbers,
        replay_budget_events=arguments.replay_budget_events,
        defects=frozenset(arguments.defect),
    )


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is below 0")
    return value


def _positive(text: str) -> int:
    value = _whole(text)
    if value == 0:
        raise argparse.ArgumentTypeError("0 is too small; at least 1 is needed")
    return value


if __name__ == "__main__":
    main()
