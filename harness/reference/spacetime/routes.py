"""The HTTP API of the server (wire sheet 1)."""

import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from harness.reference.spacetime.answers import (
    Answered,
    identify,
    json_answer,
    limited_text,
    plain,
    plain_refusals,
    unbranded,
)
from harness.reference.spacetime.database import Call, CallStatus, Database, Outcome
from harness.reference.spacetime.databases import Databases
from harness.reference.spacetime.identities import Authority, Caller, TokenRefused
from harness.reference.spacetime.keccak import keccak_256
from harness.reference.spacetime.schema_json import module_schema
from harness.reference.spacetime.sql_route import sql_answer
from harness.reference.spacetime.sql_syntax import SqlError
from harness.reference.spacetime.subscribe_route import check_protocol, read_handshake, serve_socket

PACKAGE, VERSION = "spacetimedb-client-api", "1.2.0"
WEBSOCKET_TOKEN_S = 60
CALL_ERRORS = {
    CallStatus.FAILED: 530,
    CallStatus.BAD_ARGUMENTS: 400,
    CallStatus.LIFECYCLE: 400,
    CallStatus.NO_SUCH_REDUCER: 404,
}
Route = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]
PlainRoute = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The routes over the databases. Every database route mints an identity for a caller without a token."""

    def __init__(self, databases: Databases, authority: Authority) -> None:
        self._databases = databases
        self._authority = authority

    def application(self) -> web.Application:
        """The web application to serve. Its bodies are unlimited; each route sets its own bound."""
        app = web.Application(client_max_size=0, middlewares=[plain_refusals])
        app.on_response_prepare.append(unbranded)
        database = "/v1/database/{database}"
        for method, path, route in (
            ("POST", f"{database}/call/{{reducer}}", self.call),
            ("GET", f"{database}/subscribe", self.subscribe),
            ("POST", f"{database}/sql", self.sql),
            ("GET", f"{database}/schema", self.schema),
            ("GET", f"{database}/logs", self.logs),
            ("GET", f"{database}/identity", self.identity),
            ("GET", f"{database}/names", self.names),
            ("POST", f"{database}/names", self.add_name),
            ("GET", f"{database}/unstable/timestamp", self.timestamp),
            ("GET", database, self.info),
            ("PUT", database, self.publish),
            ("DELETE", database, self.delete),
            ("POST", "/v1/database", self.publish),
        ):
            app.router.add_route(method, path, self._for_caller(route))
        self._add_service_routes(app)
        return app

    def _add_service_routes(self, app: web.Application) -> None:
        plain_routes: tuple[tuple[str, str, PlainRoute], ...] = (
            ("GET", "/v1/ping", self.ping),
            ("GET", "/v1/health", self.health),
            ("GET", "/v1/energy/{identity}", self.energy),
            ("POST", "/v1/identity", self.new_identity),
            ("GET", "/v1/identity/public-key", self.public_key),
            ("POST", "/v1/identity/websocket-token", self.websocket_token),
            ("GET", "/v1/identity/{identity}/verify", self.verify),
            ("GET", "/v1/identity/{identity}/databases", self.owned),
        )
        for method, path, route in plain_routes:
            app.router.add_route(method, path, route)

    async def ping(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/ping`: a token, if sent, must be good."""
        self._caller(request)
        return plain(200, "")

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """`GET /v1/health`."""
        return json_answer({"nodes": [0], "package_name": PACKAGE, "schedulable": True, "version": VERSION})

    async def energy(self, _request: web.Request) -> web.StreamResponse:
        """`GET /v1/energy/:identity`: the standalone server does not meter."""
        return json_answer({"balance": "0"})

    async def new_identity(self, _request: web.Request) -> web.StreamResponse:
        """`POST /v1/identity`: a fresh identity and its token."""
        caller = self._authority.new_caller()
        return json_answer({"identity": caller.identity, "token": caller.token})

    async def public_key(self, _request: web.Request) -> web.StreamResponse:
        """`GET /v1/identity/public-key`: PEM."""
        return web.Response(body=self._authority.keys.public_pem, content_type="application/pem-certificate-chain")

    async def websocket_token(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/identity/websocket-token`: the caller's identity for a minute."""
        caller = self._required_caller(request)
        short = self._authority.minted(caller.issuer, caller.subject, [], WEBSOCKET_TOKEN_S)
        return json_answer({"token": short.token})

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/identity/:identity/verify`: 204 if the token belongs to the identity, else 400."""
        caller = self._required_caller(request)
        return plain(204 if caller.identity == request.match_info["identity"].lower() else 400, "")

    async def owned(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/identity/:identity/databases`: what the identity owns."""
        return json_answer({"identities": self._databases.owned_by(request.match_info["identity"].lower())})

    async def call(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`POST …/call/:reducer`: runs a reducer with the arguments in the body."""
        if "Content-Type" not in request.headers:
            raise Answered(400, "Header of type `content-type` was missing")
        args = await limited_text(request)
        if request.headers["Content-Type"] != "application/json":
            raise Answered(415, "Expected request with `Content-Type: application/json`")
        database = self._find(request)
        connection_id = secrets.randbits(128)
        outcome = database.call(Call(caller.identity, connection_id, request.match_info["reducer"], args))
        return _call_answer(outcome)

    async def subscribe(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`GET …/subscribe`: the WebSocket."""
        handshake = read_handshake(request.query, request.headers)
        database = self._find(request)
        check_protocol(request.headers)
        return await serve_socket(request, handshake, database, caller)

    async def sql(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`POST …/sql`: one statement."""
        text = await limited_text(request)
        try:
            answer, duration_us = sql_answer(self._find(request), caller.identity, text)
        except SqlError as error:
            raise Answered(400, str(error)) from error
        headers = {"spacetime-execution-duration-micros": str(duration_us)}
        return web.Response(body=answer.encode(), content_type="application/json", headers=headers)

    async def schema(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """`GET …/schema?version=9`: the module's description."""
        version = request.query.get("version")
        if version != "9":
            problem = "missing field `version`" if version is None else f"unknown variant `{version}`, expected `9`"
            raise Answered(400, f"Failed to deserialize query string: {problem}")
        self._find(request)
        return json_answer(module_schema())

    async def logs(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`GET …/logs`: the module's log, for its owner."""
        database = self._find(request)
        owner = database.stored.owner
        if caller.identity != owner:
            raise Answered(400, f"Identity does not own database, expected: {owner} got: {caller.identity}")
        number = request.query.get("num_lines")
        if number is not None and not (number.isascii() and number.isdigit() and len(number) < 10):
            raise Answered(400, "Failed to deserialize query string: invalid digit found in string")
        lines = database.log_lines(None if number is None else int(number))
        return web.Response(
            body="".join(f"{line}\n" for line in lines).encode(),
            content_type="application/x-ndjson",
            headers={"cache-control": "no-cache"},
        )

    async def identity(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """`GET …/identity`: the database's identity as text."""
        return plain(200, self._databases.identity_of(request.match_info["database"]))

    async def names(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """`GET …/names`."""
        identity = self._databases.identity_of(request.match_info["database"])
        return json_answer({"names": self._databases.names_of(identity)})

    async def add_name(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`POST …/names`: the body is one more name."""
        name = await limited_text(request)
        database = self._find(request)
        self._databases.add_name(request.match_info["database"], name, caller.identity)
        return json_answer({"Success": {"domain": name, "database_identity": database.stored.identity}})

    async def timestamp(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """`GET …/unstable/timestamp`: the server's clock."""
        self._find(request)
        return json_answer({"__timestamp_micros_since_unix_epoch__": time.time_ns() // 1000})

    async def info(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """`GET /:db`: identity, owner and program."""
        database = self._find(request)
        program = bytes.fromhex(keccak_256(self._databases.program(database)))[::-1].hex()
        return json_answer(
            {
                "database_identity": {"__identity__": f"0x{database.stored.identity}"},
                "owner_identity": {"__identity__": f"0x{database.stored.owner}"},
                "host_type": {"Wasm": []},
                "initial_program": f"0x{program}",
            }
        )

    async def publish(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`PUT /:db`, `POST /v1/database`: creates or updates a database from the wasm in the body."""
        clear = request.query.get("clear", "false")
        if clear not in ("true", "false"):
            raise Answered(400, "Failed to deserialize query string: provided string was not `true` or `false`")
        wasm = await request.read()
        path = request.match_info.get("database")
        published = self._databases.publish(path, caller.identity, wasm, clear=clear == "true")
        success = {
            "domain": published.domain,
            "database_identity": published.identity,
            "op": published.operation,
        }
        return json_answer({"Success": success})

    async def delete(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """`DELETE /:db`: for its owner; repeating it is no error."""
        self._databases.delete(request.match_info["database"], caller.identity)
        return plain(200, "")

    def _find(self, request: web.Request) -> Database:
        return self._databases.find(request.match_info["database"])

    def _for_caller(self, route: Route) -> PlainRoute:
        """The route with its caller, whose identity and token go into the answer's headers."""

        async def handler(request: web.Request) -> web.StreamResponse:
            caller = self._caller(request) or self._authority.new_caller()
            try:
                response = await route(request, caller)
            except Answered as answered:
                response = answered.response()
            if not response.prepared:
                identify(response, caller)
            return response

        return handler

    def _required_caller(self, request: web.Request) -> Caller:
        caller = self._caller(request)
        if caller is None:
            raise Answered(401, "Authorization required")
        return caller

    def _caller(self, request: web.Request) -> Caller | None:
        """Who the request's token speaks for; None without a token. Raises Answered: 400 or 401."""
        authorization = request.headers.get("Authorization")
        token = request.query.get("token") if authorization is None else _bearer(authorization)
        if token is None:
            return None
        try:
            return self._authority.caller(token, time.time())
        except TokenRefused as refused:
            raise Answered(refused.status, refused.text) from refused


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer" or not token.strip():
        raise Answered(400, "Authorization is invalid: malformed token")
    return token.strip()


def _call_answer(outcome: Outcome) -> web.Response:
    status = CALL_ERRORS.get(outcome.status, 200)
    response = plain(status, outcome.text)
    if outcome.status in (CallStatus.COMMITTED, CallStatus.FAILED):
        response.headers["spacetime-energy-used"] = str(outcome.event.energy)
        response.headers["spacetime-execution-duration-micros"] = str(outcome.event.duration_us)
    return response
