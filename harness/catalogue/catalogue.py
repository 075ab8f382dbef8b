"""Finding scenarios by name or path, and turning a selection into plans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.catalogue.expansion import expand
from harness.catalogue.source import SCENARIO_DIRECTORY, ScenarioSource, read_source
from harness.model.errors import UsageError
from harness.model.names import Topology
from harness.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Selection:
    """Plans to run, out of how many of the catalogue, and what was left out by topology, each named."""

    plans: tuple[Plan, ...]
    catalogue_size: int
    skipped: tuple[str, ...]

    @property
    def partial(self) -> str:
        """`3 of 8 scenarios` when not everything runs, else empty (a topology counts as a scenario of its own)."""
        return "" if len(self.plans) == self.catalogue_size else f"{len(self.plans)} of {self.catalogue_size} scenarios"


def catalogue() -> tuple[ScenarioSource, ...]:
    """Every shipped scenario, by name. Raises UsageError for a file that breaks the schema."""
    return tuple(read_source(file) for file in sorted(SCENARIO_DIRECTORY.glob("*.yaml")))


def select(
    names: Sequence[str] = (), topologies: Iterable[Topology] = tuple(Topology), seed: int | None = None
) -> Selection:
    """Plans of the named scenarios (all when none is named), each in the wanted topologies it lists.

    A name is a shipped scenario, `<scenario>.<topology>`, or a path to a YAML file. Raises UsageError for another one.
    """
    shipped = catalogue()
    wanted = frozenset(topologies)
    plans: list[Plan] = []
    skipped: list[str] = []
    for source, listed in _resolved(names, shipped):
        for topology in listed:
            if topology in wanted:
                plans.append(expand(source, topology, seed))
            else:
                skipped.append(f"{source.document['scenario']}.{topology}")
    if not plans:
        raise UsageError(
            f"nothing to run: no scenario of {', '.join(names) or 'the catalogue'} lists {_listed(wanted)}"
        )
    return Selection(_unique(plans), sum(len(_topologies(source)) for source in shipped), tuple(skipped))


def named(names: Sequence[str] = ()) -> tuple[tuple[ScenarioSource, tuple[Plan, ...]], ...]:
    """The named scenarios (all when none is named) with their plans; names and errors as for `select`."""
    return tuple(
        (source, tuple(expand(source, topology) for topology in topologies))
        for source, topologies in _resolved(names, catalogue())
    )


def _resolved(
    names: Sequence[str], shipped: tuple[ScenarioSource, ...]
) -> list[tuple[ScenarioSource, tuple[Topology, ...]]]:
    if not names:
        return [(source, _topologies(source)) for source in shipped]
    return [_resolve(name, {source.document["scenario"]: source for source in shipped}) for name in names]


def _resolve(name: str, shipped: dict[str, ScenarioSource]) -> tuple[ScenarioSource, tuple[Topology, ...]]:
    if name.endswith((".yaml", ".yml")):
        source = read_source(Path(name))
        return source, _topologies(source)
    scenario, _, topology = name.partition(".")
    if scenario not in shipped:
        raise UsageError(f"no scenario is called {scenario!r}; there are: {', '.join(sorted(shipped))}")
    source = shipped[scenario]
    if topology and topology not in _topologies(source):
        raise UsageError(f"{scenario} lists {_listed(_topologies(source))}, not {topology!r}")
    return source, (Topology(topology),) if topology else _topologies(source)


def _topologies(source: ScenarioSource) -> tuple[Topology, ...]:
    return tuple(Topology(topology) for topology in source.document["topologies"])


def _unique(plans: list[Plan]) -> tuple[Plan, ...]:
    named: dict[str, Plan] = {}
    for plan in plans:
        if named.setdefault(plan.name, plan).digest != plan.digest:
            raise UsageError(f"two different scenarios are called {plan.name}; rename one")
    return tuple(named.values())


def _listed(topologies: Iterable[Topology]) -> str:
    return " or ".join(sorted(topology.value for topology in topologies))
