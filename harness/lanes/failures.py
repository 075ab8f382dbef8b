"""Which of several failures that came together is the one to show."""

from collections.abc import Iterator

from harness.model.errors import ParityError


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure of this project's own kind in a task group's lot, else the first of all."""
    leaves = list(_leaves(failures))
    return next((leaf for leaf in leaves if isinstance(leaf, ParityError)), leaves[0])


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for inner in failure.exceptions:
            yield from _leaves(inner)
    else:
        yield failure
