"""The lives of a service."""

from typing import Any

from harness.history.lives import NEVER, life_at, lives

Note = dict[str, Any]


def note(ordinal: int, event: str, subject: str = "lane/legacy", **detail: object) -> Note:
    return {"ordinal": ordinal, "event": event, "subject": subject, "detail": detail}


def spans(*timeline: Note) -> list[tuple[int, int]]:
    return [(life.begin, life.end) for life in lives(timeline, "lane/legacy")]


def test_announcing_what_runs_begins_no_life() -> None:
    """The same boot id again is the same life."""
    assert [(1, NEVER)] == spans(note(1, "service_ready", boot_id="a"), note(5, "service_ready", boot_id="a"))


def test_restart_begins_a_life_where_it_is_announced() -> None:
    """From the kill to the announcement nobody can tell which life it is."""
    timeline = (
        note(1, "service_ready", boot_id="a"),
        note(4, "fault", kind="kill"),
        note(6, "service_ready", "lane/target", boot_id="z"),
        note(9, "service_ready", boot_id="b"),
    )
    known = lives(timeline, "lane/legacy")

    assert [(1, 4), (9, NEVER)] == spans(*timeline)
    assert [-1, 0, 0, -1, -1, 1] == [life_at(known, ordinal) for ordinal in (0, 1, 3, 4, 8, 9)]


def test_other_boot_id_without_a_fault_is_another_life() -> None:
    """A service that came back by itself is not the one that was there."""
    assert [(1, 7), (7, NEVER)] == spans(note(1, "service_ready", boot_id="a"), note(7, "service_ready", boot_id="b"))


def test_pause_ends_no_life_and_death_does() -> None:
    """What stands still goes on; what died does not."""
    ready, paused, died = note(1, "service_ready", boot_id="a"), note(3, "fault", kind="pause"), note(5, "service_died")

    assert [(1, NEVER)] == spans(ready, paused)
    assert [(1, 5)] == spans(ready, paused, died)


def test_database_published_again_begins_anew() -> None:
    """The first publication belongs to the first life; a second one, and a clearing, end what was there."""
    ready, first, again = note(1, "service_ready", boot_id="a"), note(2, "published"), note(8, "published")

    assert [(1, NEVER)] == spans(ready, first)
    assert [(1, 8), (8, NEVER)] == spans(ready, first, again)
    assert [(1, 9), (9, NEVER)] == spans(ready, first, note(9, "cleared"))
