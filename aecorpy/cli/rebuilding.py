"""`aecorpy projections rebuild` and what belongs to it: new generations of a view, beside the one that serves."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from aecorpy.cli.managing import add_manner, add_reason, add_store, carry_out
from aecorpy.cli.showing import as_json, not_now, write
from aecorpy.cli.wishes import EndWish, end_wish
from aecorpy.errors import Unavailable
from aecorpy.management import Management
from aecorpy.management.look import look
from aecorpy.management.rebuilding import back, cancel, drop_kept, rebuild
from aecorpy.management.views import RebuildSeen, ViewSeen
from aecorpy.projection.generations import RebuildRefused
from journal.contract import Database

WATCH_SECONDS = 1.0
PAUSED = "  it is paused, and nothing is built until it is resumed (`aecorpy projections resume`)"
COMMANDS = {
    "rebuild": "build a view anew beside the one that serves, and switch to it when it has caught up",
    "back": "let the generation serve again that served before",
    "cancel": "give up a rebuild that is under way",
    "drop-kept": "drop the generation that is kept for the way back",
}


def add_rebuilding(commands: Any) -> None:
    """Add the commands to the sub-parsers of `aecorpy projections`."""
    for what, told in COMMANDS.items():
        parser = commands.add_parser(what, help=told, description=f"{told}.")
        parser.set_defaults(run=run, what=what)
        add_store(parser)
        parser.add_argument("name", metavar="NAME", help="the projection's name")
        if what in ("rebuild", "back"):
            parser.add_argument("--watch", action="store_true", help="show how far it is until it serves, or Ctrl-C")
        if what == "rebuild":
            parser.add_argument("--only-watch", action="store_true", help="begin none: show the one that is under way")
        if what == "back":
            parser.add_argument("--at-once", action="store_true", help="serve what it has now, and catch up then")
        add_reason(parser)
        add_manner(parser)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; see `carry_out`."""
    return carry_out(options, _run)


async def _run(database: Database, options: argparse.Namespace) -> None:
    seen = await Management(database).show(options.name)
    if seen.view is None:
        raise RebuildRefused(f"{options.name!r} is a {seen.registration.kind} and makes no view")
    number = None if getattr(options, "only_watch", False) else await _do(database, options)
    if number is not None:
        stands = seen.state == "paused" and not getattr(options, "at_once", False)
        told = f"{options.name}: generation {number}"
        _say(options, {"generation": number}, f"{told}\n{PAUSED}" if stands else told)
    elif options.what in ("cancel", "drop-kept"):
        _say(options, {"done": options.what}, f"{options.name}: done")
    if getattr(options, "watch", False) or getattr(options, "only_watch", False):
        with end_wish() as wish:
            await _watch(database, options, wish)


async def _do(database: Database, options: argparse.Namespace) -> int | None:
    name, by, why = options.name, options.by, options.why
    if options.what == "rebuild":
        return await rebuild(database, name, by, why)
    if options.what == "back":
        return await back(database, name, by, why, at_once=options.at_once)
    await (cancel if options.what == "cancel" else drop_kept)(database, name, by, why)
    return None


async def _watch(database: Database, options: argparse.Namespace, wish: EndWish) -> None:
    while True:
        try:
            seen = await look(database, options.name)
            view = None if seen is None else seen.view
        except Unavailable as error:
            write(not_now(error, in_json=options.json))
        else:
            if view is None:
                return
            stands = view.rebuild is not None and seen is not None and seen.state == "paused"
            _say(options, view_document(view), "\n".join([*view_lines(view), *([PAUSED] if stands else [])]))
            if view.rebuild is None:
                return
        if await wish.within(WATCH_SECONDS):
            return


def _say(options: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    write(as_json(document) if options.json else text)


def view_lines(view: ViewSeen) -> Iterable[str]:
    """A view's generations as plain text."""
    kept = "" if view.kept is None else f"; generation {view.kept} (version {view.kept_version}) is kept"
    yield f"generation {view.serving} (version {view.version}) serves{kept}"
    if view.rebuild is not None:
        yield progress(view.rebuild)
        yield from (f"  {place}: {' '.join(error.split())}" for place, error in sorted(view.rebuild.errors.items()))


def progress(seen: RebuildSeen) -> str:
    """How far a rebuild is, in a line."""
    left = "" if seen.seconds_left is None else f", {_duration(seen.seconds_left)} left"
    return (
        f"generation {seen.generation} (version {seen.version}) is {seen.phase}: {_percent(seen)} %, "
        f"{seen.handled} of {seen.head} events, {seen.rate:.0f} a second{left}"
    )


def view_document(view: ViewSeen) -> dict[str, Any]:
    """A view's generations in a document."""
    document = asdict(view)
    if (seen := view.rebuild) is not None:
        left = None if seen.seconds_left is None else round(seen.seconds_left, 1)
        told = {"since": seen.since.isoformat(), "percent": _percent(seen), "seconds_left": left}
        document["rebuild"] = {**document["rebuild"], **told, "rate": round(seen.rate, 1)}
    return document


def _percent(seen: RebuildSeen) -> float:
    return int(seen.percent * 10) / 10  # 100 only when all of it is handled


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
