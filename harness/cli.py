"""The `parity` command: a thin front end over `session`. Progress goes to stderr, results to stdout."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import harness
from harness import session
from harness.catalogue.catalogue import catalogue, select
from harness.doctor import examine
from harness.evidence.judged_run import judged_run, verify
from harness.lanes.profile import known_profiles
from harness.model.errors import ExitCode, ParityError, UsageError
from harness.model.names import Topology
from harness.report.terminal import terminal_summary
from harness.report.verdict_json import verdict_json
from harness.session import RUNS, STANDARD

EXIT_CODES = """exit codes:
  0    parity
  1    diverged: at least one unexplained divergence
  2    usage: a command or scenario that cannot be meant
  10   inconclusive: too little was seen, or a check crashed
  11   could not run, or a recording is damaged
  130  interrupted; what was captured stays readable (see `parity seal`)"""

Command: TypeAlias = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `parity` command; its exit code (architecture, section 6)."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except ParityError as error:
        _say(f"parity: {error}")
        return int(error.exit_code)
    except KeyboardInterrupt:
        _say("parity: interrupted")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.COULD_NOT_RUN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parity",
        description="Record two delivery lanes side by side and prove whether traffic may move from one to the other.",
        epilog="Start with `parity run`: it needs nothing but this installation.\n\n" + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lane-parity {harness.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_analyze(commands)
    _add_verify(commands)
    _add_report(commands)
    _add_seal(commands)
    _add_scenarios(commands)
    _add_doctor(commands)
    return parser


def _command(commands: Commands, name: str, command: Command, summary: str, more: str = "") -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    return parser


def _add_run_directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help=f"a run directory (default: the newest one in {RUNS})")


# run


def _add_run(commands: Commands) -> None:
    parser = _command(
        commands,
        "run",
        _run,
        "record scenarios on both lanes, judge them and write the reports",
        "Lanes are started as processes\nof their own on loopback. Ctrl-C stops them and keeps what was captured.\n\n"
        f"A PROFILE says what sits on a side: a TOML file of yours, or one of {', '.join(known_profiles())}.",
    )
    parser.add_argument(
        "scenario", nargs="*", metavar="SCENARIO", help="name, name.topology or YAML file (default: all)"
    )
    parser.add_argument("--topology", choices=[topology.value for topology in Topology], help="only this one")
    parser.add_argument("--seed", type=int, help="replaces the seed of every scenario")
    parser.add_argument("--authority", default=STANDARD.authority, metavar="PROFILE", help="profile name or TOML file")
    parser.add_argument("--legacy", default=STANDARD.legacy, metavar="PROFILE", help="lane on the legacy side")
    parser.add_argument("--target", default=STANDARD.target, metavar="PROFILE", help="lane on the target side")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"run directory to make (default: a new one in {RUNS})")


def _run(options: argparse.Namespace) -> int:
    topologies = [Topology(options.topology)] if options.topology else list(Topology)
    selection = select(options.scenario, topologies, options.seed)
    run_directory = options.out or session.default_run_directory()
    profiles = session.Profiles(options.authority, options.legacy, options.target)
    repeat = session.Repeat(tuple(options.scenario), options.topology, options.seed, profiles)
    try:
        session.record_run(run_directory, selection, repeat, _say)
    except KeyboardInterrupt:
        _say(f"parity: interrupted; what was captured is in {run_directory}; `parity seal {run_directory}` finishes it")
        return int(ExitCode.INTERRUPTED)
    return _analyzed(run_directory)


# analyze, report, seal


def _add_analyze(commands: Commands) -> None:
    _add_run_directory(
        _command(
            commands,
            "analyze",
            _analyze,
            "judge a recorded run again, offline, and rewrite verdict and reports",
            "Needs no lane and no\nnetwork. The same recordings give the same bytes every time.",
        )
    )


def _analyze(options: argparse.Namespace) -> int:
    return _analyzed(_run_directory(options.run))


def _add_report(commands: Commands) -> None:
    parser = _command(commands, "report", _report, "render the HTML report of a run from its recordings")
    _add_run_directory(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it (default: report.html in the run)")


def _report(options: argparse.Namespace) -> int:
    run_directory = _run_directory(options.run)
    out = options.out or run_directory / "report.html"
    session.write_report(judged_run(run_directory), out)
    print(out)
    return int(ExitCode.PARITY)


def _add_seal(commands: Commands) -> None:
    _add_run_directory(
        _command(
            commands,
            "seal",
            _seal,
            "finish an interrupted run: seal its journals and judge what is there",
            "Nothing that was captured\nis lost; a scenario that was not recorded keeps the run from being green.",
        )
    )


def _seal(options: argparse.Namespace) -> int:
    run_directory = _run_directory(options.run)
    for line in session.finish(run_directory):
        _say(line)
    return _analyzed(run_directory)


def _analyzed(run_directory: Path) -> int:
    """Judge, write the reports, print the summary; the verdict's exit code."""
    record = session.analyze(run_directory)
    print(terminal_summary(record, str(run_directory / "report.html")), end="")
    return record.exit_code


# verify


def _add_verify(commands: Commands) -> None:
    _add_run_directory(
        _command(
            commands,
            "verify",
            _verify,
            "hash and judge a run again and say whether its claim holds",
            "Exit code 0 when every digest\nand the verdict hold, whatever the verdict is; 11 when something does not.",
        )
    )


def _verify(options: argparse.Namespace) -> int:
    run_directory = _run_directory(options.run)
    statements = verify(run_directory, verdict_json)
    for statement in statements:
        print(f"{'holds ' if statement.holds else 'BROKEN'}  {statement.text}")
    held = sum(statement.holds for statement in statements)
    print(f"{'the claim holds' if held == len(statements) else 'THE CLAIM DOES NOT HOLD'}: {held} of {len(statements)}")
    return int(ExitCode.PARITY if held == len(statements) else ExitCode.COULD_NOT_RUN)


# scenarios, doctor


def _add_scenarios(commands: Commands) -> None:
    parser = _command(commands, "scenarios", _scenarios, "list the catalogue, or show the plan of one scenario")
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="show the expanded steps of this one")


def _scenarios(options: argparse.Namespace) -> int:
    if options.scenario:
        for plan in select([options.scenario]).plans:
            sys.stdout.buffer.write(plan.to_json() + b"\n")
        return int(ExitCode.PARITY)
    for source in catalogue():
        document = source.document
        print(f"{document['scenario']}  ({', '.join(document['topologies'])})\n    {document['title']}")
        print(f"    clauses: {' '.join(document['clauses'])}")
    return int(ExitCode.PARITY)


def _add_doctor(commands: Commands) -> None:
    _command(
        commands,
        "doctor",
        _doctor,
        "check this machine, then plant one fault and show that it is found",
        "Use it before you believe a\ngreen run on a new machine.",
    )


def _doctor(_: argparse.Namespace) -> int:
    healthy = True
    for statement in examine(_say):
        print(f"{'ok    ' if statement.holds else 'BROKEN'}  {statement.text}", flush=True)
        healthy = healthy and statement.holds
    return int(ExitCode.PARITY if healthy else ExitCode.COULD_NOT_RUN)


def _run_directory(given: str | None) -> Path:
    if given:
        return Path(given)
    runs = sorted(path for path in RUNS.glob("*") if (path / "request.json").exists())
    if not runs:
        raise UsageError(f"there is no run in {RUNS}; name a run directory, or make one with `parity run`")
    return runs[-1]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
