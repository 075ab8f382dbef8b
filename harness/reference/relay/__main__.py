"""`python -m harness.reference.relay`: arguments, wiring, start and stop of the work."""

import argparse
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from harness.reference.defects import add_defect_arguments, defect_lines
from harness.reference.process import add_service_arguments, new_boot_id, run_service
from harness.reference.relay.authority_feed import AuthorityFeed, BearerTokens
from harness.reference.relay.carrier import Carrier
from harness.reference.relay.control import CARRIER, control_app
from harness.reference.relay.defects import DEFECTS
from harness.reference.relay.lane import Lane
from harness.reference.relay.legacy_lane import LegacyLane
from harness.reference.relay.spacetime_lane import SpacetimeLane, owner_token
from harness.reference.tokens import read_secret_file

FOLLOW_WAIT_S = 2.0

_EPILOG = """\
examples:
  python -m harness.reference.relay --authority-url http://127.0.0.1:4100 --token-secret-file secret \\
    --lane legacy --lane-url http://127.0.0.1:4200 --control-token-file control
  python -m harness.reference.relay --authority-url http://127.0.0.1:4100 --token-secret-file secret \\
    --lane spacetime --lane-url http://127.0.0.1:3000 --database sync --signing-key-file key.pem \\
    --control-token-file control

control (Authorization: Bearer <content of the control token file>):
  GET  /status    {held, boot_id, lane_boot_id, appended, retained_from, pending, last_error}
  POST /hold      stand still now, or with {"after": {"stream": topic, "seq": n}} once the lane has that event
  POST /release   go on

Start it before or after the lane: it tries again for ever. On the target it acts as the subject `relay`,
which must be the one that published the database.
"""


def main() -> None:
    """Runs the relay until it is told to stop. Exit 2 for wrong arguments, 1 for unreadable files."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.lane == "spacetime" and not (arguments.database and arguments.signing_key_file):
        parser.error("--lane spacetime needs --database and --signing-key-file")
    boot_id = new_boot_id()
    run_service(
        "relay",
        _app(arguments, boot_id),
        host=arguments.host,
        port=arguments.port,
        die_with_parent=arguments.die_with_parent,
        boot_id=boot_id,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.reference.relay",
        description="The reference relay: carries an authority's events into one lane, in order per stream.",
        epilog=_EPILOG + defect_lines(DEFECTS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--authority-url", required=True, help="where the authority listens")
    add("--token-secret-file", type=Path, required=True, help="file that holds the HS256 secret")
    add("--lane", choices=("legacy", "spacetime"), required=True, help="what kind of lane it feeds")
    add("--lane-url", required=True, help="where the lane listens")
    add("--database", help="name of the database (spacetime)")
    add("--signing-key-file", type=Path, help="EC P-256 private key, PEM (spacetime)")
    add("--control-token-file", type=Path, required=True, help="file that holds the control token")
    add("--retention-events", type=int, default=1024, help="window of a stream on the lane (%(default)s)")
    add_defect_arguments(parser, DEFECTS)
    add_service_arguments(parser)
    return parser


def _app(arguments: argparse.Namespace, boot_id: str) -> web.Application:
    app = control_app(read_secret_file(arguments.control_token_file))
    secret = read_secret_file(arguments.token_secret_file)
    signing_key = _signing_key(arguments.signing_key_file)

    async def carry(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            tokens = BearerTokens(secret, "sync.log.read", device_id=f"relay:{arguments.lane_url}")
            feed = AuthorityFeed(session, arguments.authority_url.rstrip("/"), tokens)
            lane = _lane(arguments, session, secret, signing_key)
            defects = frozenset(arguments.defect)
            carrier = app[CARRIER] = Carrier(feed, lane, arguments.retention_events, boot_id, defects)
            carrier.start()
            # Who is told that it is ready may rely on it; an authority that is not there yet is no reason not to be.
            await carrier.follows(FOLLOW_WAIT_S)
            yield
            await carrier.stop()

    app.cleanup_ctx.append(carry)
    return app


def _lane(arguments: argparse.Namespace, session: aiohttp.ClientSession, secret: bytes, signing_key: str) -> Lane:
    url = arguments.lane_url.rstrip("/")
    if arguments.lane == "legacy":
        return LegacyLane(session, url, BearerTokens(secret, "sync.ingest"))
    return SpacetimeLane(session, url, arguments.database, owner_token(signing_key))


def _signing_key(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot read the signing key file {path}: {error}") from error


if __name__ == "__main__":
    main()
