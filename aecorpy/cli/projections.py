"""`aecorpy projections`: what runs over a cluster, as its database has it, and changing it from there."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aecorpy.cli.managing import add_manner, add_reason, add_store, carry_out
from aecorpy.cli.numbers import seconds, time, whole
from aecorpy.cli.projections_shown import (
    deployment_document,
    deployment_lines,
    deployments_lines,
    letter_document,
    letters_lines,
    summary,
)
from aecorpy.cli.rebuilding import add_rebuilding
from aecorpy.cli.showing import as_json, not_now, watch, write
from aecorpy.errors import Unavailable
from aecorpy.management import DeploymentSeen, Management
from journal.contract import Database

Act: TypeAlias = Callable[[Management, argparse.Namespace], Awaitable[str]]

COMMANDS: dict[str, str] = {
    "list": "show all of them, with how far each is behind",
    "show": "show one: its processes, its tags, and what was done to it",
    "pause": "stop one on all nodes until it is resumed",
    "resume": "let it run again",
    "skip": "leave out the event that it has to handle next",
    "letters": "show the events that were set aside or skipped",
    "retry": "have dead letters handled again",
    "replay": "have events handled again",
}


def run(options: argparse.Namespace) -> int:
    """Do what `options.act` does; see `carry_out`."""
    return carry_out(options, _run)


async def _run(database: Database, options: argparse.Namespace) -> None:
    management, act = Management(database), options.act
    if getattr(options, "watch", False):
        await watch(lambda: _text_or_trouble(act, management, options), clears=not options.json)
    else:
        write(await act(management, options))


async def _text_or_trouble(act: Act, management: Management, options: argparse.Namespace) -> str:
    try:
        return await act(management, options)
    except Unavailable as error:
        return not_now(error, in_json=options.json)


def add_projections(parser: argparse.ArgumentParser) -> None:
    """Add the commands to their parser."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    parsers = {name: commands.add_parser(name, help=told, description=f"{told}.") for name, told in COMMANDS.items()}
    acts: dict[str, Act] = {
        "list": _list, "show": _show, "pause": _pause, "resume": _resume,
        "skip": _skip, "letters": _letters, "retry": _retry, "replay": _replay,
    }  # fmt: skip
    add_rebuilding(commands)
    for name, one in parsers.items():
        one.set_defaults(run=run, act=acts[name])
        add_store(one)
        if name != "list":
            one.add_argument("name", metavar="NAME", help="the projection's, or another deployment's, name")
    for name in ("pause", "resume"):
        parsers[name].add_argument("--process", type=whole, metavar="N", help="only this one of its processes")
    parsers["list"].add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    parsers["pause"].add_argument(
        "--wait", type=seconds, metavar="SECONDS", help="until it has paused, at most so long; else fail"
    )
    parsers["skip"].add_argument("tag", metavar="TAG", help="the stream, such as booking-7")
    parsers["skip"].add_argument("offset", type=whole, metavar="OFFSET", help="the event's")
    parsers["letters"].add_argument("--limit", type=whole, default=1000, help="at most so many (default: %(default)s)")
    for name in ("letters", "retry", "replay"):
        parsers[name].add_argument("--tag", metavar="TAG", help="only on this stream, such as booking-7")
    parsers["retry"].add_argument("--offset", type=whole, metavar="N", help="only that of this event on the tag")
    _add_start(parsers["replay"])
    for name in ("pause", "resume", "skip", "retry", "replay"):
        add_reason(parsers[name], required=name == "skip")
    for one in parsers.values():
        add_manner(one)


def _add_start(parser: argparse.ArgumentParser) -> None:
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--from-start", dest="start", action="store_const", const=1, help="all events")
    start.add_argument("--offset", dest="start", type=whole, metavar="N", help="this event of a tag and all behind it")
    told = "what was recorded then or later: ISO 8601 with zone"
    start.add_argument("--time", dest="start", type=time, metavar="TIME", help=told)
    parser.add_argument(
        "--force", action="store_true", help="although it is not idempotent, so that events count twice"
    )


async def _list(management: Management, options: argparse.Namespace) -> str:
    seen = await management.deployments()
    return as_json([summary(one) for one in seen]) if options.json else "\n".join(deployments_lines(seen))


async def _show(management: Management, options: argparse.Namespace) -> str:
    seen, actions = await management.show(options.name), await management.actions(options.name)
    if options.json:
        return as_json(deployment_document(seen, actions))
    return "\n".join(deployment_lines(seen, actions))


async def _pause(management: Management, options: argparse.Namespace) -> str:
    await management.pause(options.name, by=options.by, why=options.why, process=options.process, wait=options.wait)
    return await _told(management, options, "paused" if options.wait is not None else "is to pause")


async def _resume(management: Management, options: argparse.Namespace) -> str:
    await management.resume(options.name, by=options.by, why=options.why, process=options.process)
    return await _told(management, options, "is to run")


async def _told(management: Management, options: argparse.Namespace, what: str) -> str:
    seen = await management.show(options.name)
    if options.json:
        return as_json(summary(seen))
    process = "" if options.process is None else f" process {options.process}"
    return f"{options.name}{process}: {what}{_still_paused(seen, options.process)}"


def _still_paused(seen: DeploymentSeen, process: int | None) -> str:
    """What else is paused, and has to be resumed for itself."""
    if process is not None:
        return "; the whole is paused, too: `resume` without --process lets it run" if seen.control.paused else ""
    apart = [str(one.number) for one in seen.processes if one.control.paused]
    if seen.control.paused or not apart:
        return ""
    which = f"process {apart[0]} was" if len(apart) == 1 else f"processes {', '.join(apart)} were"
    return f"; {which} paused by {'itself' if len(apart) == 1 else 'themselves'}, and `resume --process N` lets it run"


async def _skip(management: Management, options: argparse.Namespace) -> str:
    letter = await management.skip(options.name, options.tag, options.offset, by=options.by, why=options.why)
    if options.json:
        return as_json(letter_document(letter))
    event = f"{letter.type_name} of {letter.key!r}, seq_nr {letter.seq_nr}"
    return f"{options.name}: skipped {letter.tag} offset {letter.offset} ({event})"


async def _letters(management: Management, options: argparse.Namespace) -> str:
    letters = await management.letters(options.name, tag=options.tag, limit=options.limit)
    if options.json:
        return as_json([letter_document(one) for one in letters])
    return "\n".join(letters_lines(letters))


async def _retry(management: Management, options: argparse.Namespace) -> str:
    asked = await management.retry(options.name, tag=options.tag, offset=options.offset, by=options.by, why=options.why)
    if options.json:
        return as_json({"asked": asked})
    return f"{options.name}: {asked} dead {'letter is' if asked == 1 else 'letters are'} to be handled again"


async def _replay(management: Management, options: argparse.Namespace) -> str:
    replayed = await management.replay(
        options.name, options.start, tag=options.tag, by=options.by, why=options.why, force=options.force
    )
    if options.json:
        return as_json([one._asdict() for one in replayed])
    lines = [f"{options.name}: {one.tag} goes back from {one.before} to {one.after}" for one in replayed]
    return "\n".join(lines) or f"{options.name}: nothing to handle again"
