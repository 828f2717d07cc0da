"""Projections and other deployments as plain text, and as what JSON has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from aecorpy.cli.rebuilding import progress, view_document, view_lines
from aecorpy.cli.showing import table
from aecorpy.management import Action, DeploymentSeen, ProcessSeen, TagSeen
from journal.records import DeadLetter

MOST_TEXT = 100
MOST_ACTIONS = 10
MOST_TAGS = 16
LIST_HEAD = ("NAME", "KIND", "STATE", "RUNNING", "OFFSET", "LAG", "LAG SECONDS", "NOTE")
PROCESS_HEAD = ("PROCESS", "NAME", "STATE", "NODE", "EPOCH", "SINCE", "RESTARTS", "NOTE")
TAG_HEAD = ("TAG", "OFFSET", "HEAD", "LAG", "LAG SECONDS", "FAILURES", "ERROR")
LETTER_HEAD = ("TAG", "OFFSET", "EVENT", "KEY", "SEQ NR", "RECORDED", "BY", "ASKED", "ERROR")
ACTION_HEAD = ("AT", "BY", "WHAT", "WHY")


def summary(seen: DeploymentSeen) -> dict[str, Any]:
    """One deployment in a document; offsets and lag in events, summed over its tags."""
    return {
        "name": seen.name,
        "kind": seen.registration.kind,
        "state": seen.state,
        "running": seen.running_processes,
        "processes": len(seen.processes),
        "offset": seen.handled if seen.tags else None,
        "lag": seen.lag if seen.tags else None,
        "lag_seconds": round(seen.lag_seconds, 3) if seen.tags else None,
        "paused_by": seen.control.by if seen.control.paused else None,
        "paused_why": seen.control.why if seen.control.paused else None,
        "error": seen.error,
    }


def deployment_document(seen: DeploymentSeen, actions: Sequence[Action]) -> dict[str, Any]:
    """One deployment with all its parts."""
    return {
        **summary(seen),
        "idempotent": seen.registration.idempotent,
        "view": None if seen.view is None else view_document(seen.view),
        "processes": [_process_document(one) for one in seen.processes],
        "tags": [{**asdict(one), "lag": one.lag, "lag_seconds": round(one.lag_seconds, 3)} for one in seen.tags],
        "actions": [{**asdict(one), "at": one.at.isoformat()} for one in actions],
    }


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter."""
    return {**asdict(letter), "recorded_at": None if letter.recorded_at is None else letter.recorded_at.isoformat()}


def deployments_lines(deployments: Sequence[DeploymentSeen]) -> Iterable[str]:
    """A line for each."""
    if not deployments:
        yield "no program has started any projection or process here"
        return
    yield from table(LIST_HEAD, [_row(one) for one in deployments])


def deployment_lines(seen: DeploymentSeen, actions: Sequence[Action]) -> Iterable[str]:
    """One deployment, its processes, its tags, and what was done to it last."""
    yield f"{seen.registration.kind} {seen.name}: {seen.state}, {_running(seen)} processes run"
    if seen.control.paused:
        yield f"paused by {_said(seen.control.by, seen.control.why)}"
    if seen.error is not None:
        yield f"error: {_line(seen.error)}"
    if seen.view is not None:
        yield from view_lines(seen.view)
    yield ""
    yield from table(PROCESS_HEAD, [_process_row(one) for one in seen.processes])
    if seen.tags:
        yield ""
        yield from _tag_lines(seen.tags)
    if actions:
        yield ""
        rows = [(_time(one.at), one.by, one.what, _short(one.why)) for one in actions[-MOST_ACTIONS:]]
        yield from table(ACTION_HEAD, rows)


def _tag_lines(tags: Sequence[TagSeen]) -> Iterable[str]:
    """A line for each; of many, those that are at their end are summed up, so that the others are seen."""
    shown = tags if len(tags) <= MOST_TAGS else [one for one in tags if one.lag or one.failures]
    if shown:
        yield from table(TAG_HEAD, [_tag_row(one) for one in shown])
    if rest := len(tags) - len(shown):
        handled = sum(one.offset for one in tags) - sum(one.offset for one in shown)
        what = f"all {rest} tags are" if not shown else f"{rest} other {'tag is' if rest == 1 else 'tags are'}"
        yield f"{what} at the end of what there is, {handled} events in all (--json shows each)"


def letters_lines(letters: Sequence[DeadLetter]) -> Iterable[str]:
    """A line for each."""
    if not letters:
        yield "no dead letters"
        return
    yield from table(LETTER_HEAD, [_letter_row(one) for one in letters])


def _row(seen: DeploymentSeen) -> tuple[str, ...]:
    control = seen.control
    note = f"paused by {_said(control.by, control.why)}" if control.paused else seen.error or _paused_apart(seen)
    if not note and seen.view is not None and seen.view.rebuild is not None:
        note = progress(seen.view.rebuild)
    numbers = [str(seen.handled), str(seen.lag), f"{seen.lag_seconds:.1f}"] if seen.tags else ["-", "-", "-"]
    return (seen.name, seen.registration.kind, seen.state, _running(seen), *numbers, _short(note))


def _paused_apart(seen: DeploymentSeen) -> str:
    apart = [str(one.number) for one in seen.processes if one.control.paused]
    return f"paused by {'itself' if len(apart) == 1 else 'themselves'}: process {', '.join(apart)}" if apart else ""


def _running(seen: DeploymentSeen) -> str:
    return f"{seen.running_processes}/{len(seen.processes)}"


def _process_row(process: ProcessSeen) -> tuple[str, ...]:
    said, control = process.said, process.control
    note = f"paused by {_said(control.by, control.why)}" if control.paused else (said and said.error) or ""
    start = (str(process.number), process.name, process.state)
    if said is None:
        return (*start, "-", "-", "-", "-", _short(note))
    since = _time(_since(process))
    return (*start, said.node, str(said.epoch), since, str(said.restarts), _short(note))


def _process_document(process: ProcessSeen) -> dict[str, Any]:
    said, since = process.said, _since(process)
    return {
        "number": process.number,
        "name": process.name,
        "state": process.state,
        "node": None if said is None else said.node,
        "epoch": None if said is None else said.epoch,
        "since": None if since is None else since.isoformat(),
        "restarts": None if said is None else said.restarts,
        "error": None if said is None else said.error,
        "paused_by": process.control.by if process.control.paused else None,
        "paused_why": process.control.why if process.control.paused else None,
    }


def _since(process: ProcessSeen) -> datetime | None:
    said = process.said
    return None if said is None or said.said_at is None else said.said_at - timedelta(seconds=said.seconds)


def _tag_row(tag: TagSeen) -> tuple[str, ...]:
    numbers = (str(tag.offset), str(tag.head), str(tag.lag), f"{tag.lag_seconds:.1f}", str(tag.failures))
    return (tag.tag, *numbers, _short(tag.error or ""))


def _letter_row(letter: DeadLetter) -> tuple[str, ...]:
    return (
        letter.tag,
        str(letter.offset),
        letter.type_name,
        _short(letter.key),
        str(letter.seq_nr),
        _time(letter.recorded_at),
        letter.by or "its policy",
        "yes" if letter.asked else "no",
        _short(letter.error),
    )


def _said(by: str, why: str) -> str:
    return f"{by}: {_line(why)}" if why else by


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= MOST_TEXT else f"{line[: MOST_TEXT - 1]}…"
