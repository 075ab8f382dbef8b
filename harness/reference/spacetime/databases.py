"""All databases of the server: names, publishing, deletion (wire sheet 1.3, 1.3.1)."""

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.reference.spacetime.answers import Answered
from harness.reference.spacetime.database import Database
from harness.reference.spacetime.identities import identity_hex
from harness.reference.spacetime.journal import Journal, StoredDatabase, StoredName
from harness.reference.spacetime.rows import compact

WASM_MAGIC = b"\0asm"
DATABASE_ISSUER = "spacetimedb-database"
NO_SUCH_DATABASE = "No such database."
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did: `domain` is the name it was asked for by, `operation` created or updated."""

    domain: str | None
    identity: str
    operation: str


class Databases:
    """The databases and their names; changes are kept in the journal."""

    def __init__(self, journal: Journal, program_folder: Path, defects: frozenset[str]) -> None:
        self._journal = journal
        self._defects = defects
        self._programs = program_folder
        self._names = {name.name: name for name in journal.names()}
        self._databases = {stored.identity: Database(stored, journal, defects) for stored in journal.databases()}
        self._next_replica = journal.next_replica()
        for database in self._databases.values():
            database.load()

    def __iter__(self) -> Iterator[Database]:
        return iter(self._databases.values())

    def identity_of(self, path: str) -> str:
        """The identity that a path means. Raises Answered: 400 for a bad name, 404 for an unknown one."""
        if _IDENTITY.fullmatch(path):
            return path
        _check_name(path)
        name = self._names.get(path)
        if name is None or name.identity is None:
            raise Answered(404, "")
        return name.identity

    def find(self, path: str) -> Database:
        """The database that a path means. Raises Answered (400 or 404)."""
        database = self._databases.get(self.identity_of(path))
        if database is None:
            raise Answered(404, NO_SUCH_DATABASE)
        return database

    def names_of(self, identity: str) -> list[str]:
        """The names that stand for an identity."""
        return [name.name for name in self._names.values() if name.identity == identity]

    def owned_by(self, identity: str) -> list[str]:
        """The identities of the databases that `identity` owns."""
        return [known for known, database in self._databases.items() if database.stored.owner == identity]

    def program(self, database: Database) -> bytes:
        """The published wasm."""
        return (self._programs / database.stored.program).read_bytes()

    def publish(self, path: str | None, publisher: str, wasm: bytes, *, clear: bool) -> Published:
        """Creates or updates a database. Raises Answered: 400, 401, 404 or 500.

        A module that is none closes the clients of an existing database, which itself goes on.
        """
        named = path is not None and not _IDENTITY.fullmatch(path)
        identity = self._publishing_identity(path, publisher)
        database = self._databases.get(identity)
        if database is not None and database.stored.owner != publisher:
            raise _not_owner(publisher, identity)
        if database is None and path is not None and not named:
            raise Answered(404, NO_SUCH_DATABASE)
        if not wasm.startswith(WASM_MAGIC):
            if database is not None:
                database.close_clients()
            raise Answered(500, "failed to parse WebAssembly module: magic header not detected: bad magic number")
        operation = "created" if database is None else "updated"
        self._install(identity, publisher, self._keep_program(wasm), clear=clear)
        return Published(path if named else None, identity, operation)

    def delete(self, path: str, caller: str) -> None:
        """Deletes a database; one that is already gone is no error. Raises Answered: 400, 404, 500."""
        database = self._databases.get(self.identity_of(path))
        if database is None:
            return
        if database.stored.owner != caller:
            raise _not_owner(caller, database.stored.identity)
        database.close_clients()
        del self._databases[database.stored.identity]
        self._journal.drop_database(database.stored.identity)
        self._journal.drop_rows(database.stored.replica)

    def add_name(self, path: str, name: str, caller: str) -> None:
        """Lets one more name stand for a database. Raises Answered: 400, 401, 404."""
        database = self.find(path)
        _check_name(name)
        known = self._names.get(name)
        if database.stored.owner != caller or (known is not None and known.registrar != caller):
            raise Answered(401, compact({"PermissionDenied": {"domain": name}}))
        self._register(name, caller, database.stored.identity)

    def _publishing_identity(self, path: str | None, publisher: str) -> str:
        if path is None:
            return _new_identity()
        if _IDENTITY.fullmatch(path):
            return path
        _check_name(path)
        known = self._names.get(path)
        if known is None:
            return self._register(path, publisher, _new_identity())
        if known.registrar != publisher and known.identity not in self._databases:
            raise Answered(401, compact({"PermissionDenied": {"name": path}}))
        return known.identity or self._register(path, publisher, _new_identity())

    def _register(self, name: str, registrar: str, identity: str) -> str:
        self._names[name] = StoredName(name, registrar, identity)
        self._journal.put_name(self._names[name])
        return identity

    def _install(self, identity: str, owner: str, program: str, *, clear: bool) -> None:
        database = self._databases.get(identity)
        if database is not None and not clear:
            database.stored = replace(database.stored, program=program)
            self._journal.put_database(database.stored)
        else:
            if database is not None:
                database.close_clients()
                self._journal.drop_rows(database.stored.replica)
            stored = StoredDatabase(identity, owner, program, self._next_replica)
            self._next_replica += 1
            self._journal.put_database(stored)
            database = self._databases[identity] = Database(stored, self._journal, self._defects)
            database.initialise()
        self._journal.flush()

    def _keep_program(self, wasm: bytes) -> str:
        name = hashlib.sha256(wasm).hexdigest()
        self._programs.mkdir(exist_ok=True)
        (self._programs / name).write_bytes(wasm)
        return name


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        hyphen = name.startswith("-") or name.endswith("-") or "--" in name
        problem = "invalid hyphen" if hyphen else "invalid characters"
        raise Answered(400, f"Invalid URL: {problem} in database name")


def _new_identity() -> str:
    return identity_hex(DATABASE_ISSUER, str(uuid.uuid4()))


def _not_owner(caller: str, identity: str) -> Answered:
    return Answered(500, f"Permission denied: `{caller}` does not own database `{identity}`")
