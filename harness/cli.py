"""The `parity` command: a thin front end over `session`. Progress goes to stderr, results to stdout."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import harness
from harness import session
from harness.catalogue.catalogue import catalogue, named, select
from harness.catalogue.coverage import coverage, coverage_text
from harness.catalogue.last_results import last_results
from harness.catalogue.listing import scenario_detail, scenario_text
from harness.checks.registry import CHECKS
from harness.doctor import examine
from harness.evidence.judged_run import judged_run, verify
from harness.lanes.profile import known_profiles
from harness.live_proof import chosen, prove_live
from harness.model.errors import ExitCode, ParityError, UsageError
from harness.model.names import Topology
from harness.power.live import Mutant
from harness.power.proof_table import power_json, power_markdown, power_text
from harness.power.proving import prove_run
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
    _add_prove(commands)
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
        f"A PROFILE says what sits on a side: a TOML file of yours, or one of\n{', '.join(known_profiles())}. "
        "Behind\na + it may name a defect of its reference service (legacy-reference+drop_nth_live), or of the relay "
        "that feeds\nit (legacy-reference+relay.drops_nth).",
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
    parser = _command(
        commands,
        "scenarios",
        _scenarios,
        "list the catalogue: clauses, needs and last result of each scenario, or one of them with its steps",
        f"Needs follow\nfrom its steps and settings. The last result is from the newest run in {RUNS} that has it.",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("scenario", nargs="?", metavar="SCENARIO", help="show why this one exists, and its steps")
    choice.add_argument("--coverage", action="store_true", help="clause by scenario, and what nothing exercises yet")


def _scenarios(options: argparse.Namespace) -> int:
    if options.coverage:
        checked = frozenset(clause for check in CHECKS for clause in check.clauses)
        print(coverage_text(coverage(catalogue(), checked)), end="")
        return int(ExitCode.PARITY)
    last = last_results(RUNS)
    if options.scenario:
        for source, plans in named([options.scenario]):
            print(scenario_detail(source, plans, last), end="")
        return int(ExitCode.PARITY)
    print("\n".join(scenario_text(source, plans, last) for source, plans in named()), end="")
    return int(ExitCode.PARITY)


def _add_prove(commands: Commands) -> None:
    parser = _command(
        commands,
        "prove",
        _prove,
        "plant every fault on the recordings of a run and show that each is found, and what each check is needed for",
        "The recordings\nthemselves stay as they are; what was proved is written to power.json in the run. Exit code 0 "
        "when\nevery fault has the effect that it declares, 1 when one has not or a check changes nothing, 10 when a "
        "fault\nhad no place in any recording.",
    )
    _add_run_directory(parser)
    parser.add_argument(
        "--recordings", type=_count, default=2, metavar="N", help="for each fault and side (default: 2)"
    )
    parser.add_argument("--seed", type=int, default=1, help="draws the places of the faults (default: 1)")
    parser.add_argument("--write-docs", type=Path, metavar="FILE", help="write the table of the documentation there")
    parser.add_argument(
        "--live",
        nargs="*",
        metavar="NAME",
        help="instead of cutting recordings, start the reference lanes with each of their defects in turn, plant each "
        "fault on the wire, and run the scenarios that show it; NAME, part of a name as in 'legacy swap', selects some",
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few, a whole number from 1 on is needed")
    return number


def _prove(options: argparse.Namespace) -> int:
    if options.live is not None:
        return _prove_live(chosen(options.live))
    run_directory = _run_directory(options.run)
    power = prove_run(run_directory, options.recordings, options.seed, _say)
    (run_directory / "power.json").write_bytes(power_json(power))
    if options.write_docs:
        options.write_docs.write_text(power_markdown(power), encoding="utf-8")
    print(power_text(power), end="")
    return int(power.exit_code)


def _prove_live(mutants: Sequence[Mutant]) -> int:
    with tempfile.TemporaryDirectory(prefix="parity-live-") as scratch:
        proofs = []
        for proof in prove_live(Path(scratch), mutants, _say):
            print(proof.line, flush=True)
            proofs.append(proof)
    wrong = [proof for proof in proofs if proof.problem]
    print(f"{len(proofs)} faults in running lanes, {len(wrong)} without the effect that they declare")
    return int(ExitCode.DIVERGED if wrong else ExitCode.PARITY)


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
