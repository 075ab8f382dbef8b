"""`python -m harness.reference.spacetime start`: the stand-in as a process of its own."""

import argparse
import fcntl
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import IO

from aiohttp import web

from harness.reference.defects import add_defect_arguments, add_defect_list, defect_lines
from harness.reference.process import new_boot_id, run_service
from harness.reference.spacetime.databases import Databases
from harness.reference.spacetime.defects import DEFECTS
from harness.reference.spacetime.identities import Authority, load_keys
from harness.reference.spacetime.journal import Journal
from harness.reference.spacetime.routes import PACKAGE, VERSION, Server

DESCRIPTION = """\
A stand-in for a SpacetimeDB 1.2.0 server that runs the sync module, whatever wasm is published to it.
It speaks the HTTP API under /v1 and WebSockets with the subprotocol v1.json.spacetimedb.

example:
  python -m harness.reference.spacetime start --data-dir data --listen-addr 127.0.0.1:3000 \\
      --jwt-pub-key-path key.pub --jwt-priv-key-path key

endpoints:
  GET  /v1/ping  /v1/health     POST /v1/identity     GET /v1/identity/public-key
  PUT  /v1/database/{name}                            publish (body: wasm), GET and DELETE too
  POST /v1/database/{name}/call/{reducer}             call a reducer (body: JSON array of arguments)
  POST /v1/database/{name}/sql                        one SELECT
  GET  /v1/database/{name}/schema?version=9  /logs  /identity  /names
  GET  /v1/database/{name}/subscribe                  WebSocket

Both key files are written if neither exists. Rows survive a restart on the same data directory.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the arguments and serves until SIGTERM."""
    parsed = _parser().parse_args(arguments)
    keys = load_keys(*_key_paths(parsed))
    host, port = parsed.listen_addr
    data_dir: Path = parsed.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    with _locked(data_dir):
        journal = Journal(data_dir / "stand-in.sqlite3")
        defects = frozenset(parsed.defect)
        databases = Databases(journal, data_dir / "program-bytes", defects)
        app = Server(databases, Authority(keys)).application()
        app.on_shutdown.append(_cutting(databases, closes="wrong_close" in defects))
        journal.start()
        try:
            run_service(
                "spacetime",
                app,
                host=host,
                port=port,
                die_with_parent=parsed.die_with_parent,
                boot_id=new_boot_id(),
                extra={"banner": f"{PACKAGE} {VERSION}"},
            )
        finally:
            journal.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.reference.spacetime",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_defect_list(parser, DEFECTS)
    start = parser.add_subparsers(dest="command", required=True).add_parser(
        "start",
        help="start the server",
        description=DESCRIPTION,
        epilog=defect_lines(DEFECTS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    start.add_argument("--data-dir", type=Path, required=True, help="directory of all data, made if missing")
    start.add_argument(
        "--listen-addr", "-l", type=_address, default=("127.0.0.1", 3000), help="address:port; port 0 = any"
    )
    start.add_argument("--jwt-pub-key-path", type=Path, help="public key, PEM")
    start.add_argument("--jwt-priv-key-path", type=Path, help="private key, PEM")
    start.add_argument("--jwt-key-dir", type=Path, help=argparse.SUPPRESS)
    start.add_argument("--die-with-parent", action="store_true", help="stop when the starting process ends")
    add_defect_arguments(start, DEFECTS)
    return parser


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; needed is host:port")
    return host.strip("[]"), int(port)


def _key_paths(parsed: argparse.Namespace) -> tuple[Path, Path]:
    if parsed.jwt_key_dir is not None:
        parsed.jwt_key_dir.mkdir(parents=True, exist_ok=True)
        return parsed.jwt_key_dir / "id_ecdsa.pub", parsed.jwt_key_dir / "id_ecdsa"
    if parsed.jwt_pub_key_path is None or parsed.jwt_priv_key_path is None:
        raise SystemExit("cannot omit --jwt-{pub,priv}-key-path; give both files")
    return parsed.jwt_pub_key_path, parsed.jwt_priv_key_path


def _locked(data_dir: Path) -> IO[str]:
    """The data directory's lock file, held while it is open."""
    lock = (data_dir / "spacetime.pid").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise SystemExit("cannot take lock on database; spacetime.pid already exists") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _cutting(databases: Databases, *, closes: bool) -> Callable[[web.Application], Awaitable[None]]:
    async def cut(_app: web.Application) -> None:
        # The real server is just killed: its clients see the end of the stream, no Close frame.
        for database in databases:
            if closes:
                database.close_clients()
            else:
                database.cut_clients()

    return cut


if __name__ == "__main__":
    main()
