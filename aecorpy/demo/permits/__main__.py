"""Replay a real log of permit applications as commands, fold it into views, and compare these with the file.

FILE.csv has a row per activity done, with the columns case:concept:name (the case), concept:instance (the task's id),
concept:name (the activity), org:resource, org:group and time:timestamp (with zone). The whole file is checked before
anything is sent. A task that is in the journal already is not recorded again, so a second run on the same store adds
nothing, and a run that was interrupted can be started again.

The last line says whether the views equal what plain Python computes from the file.

Exit code: 0 when they do; 1 when not; 2 for a file or an argument that cannot be used; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from random import Random

from aecorpy import AecorError, ClusterNode, JournalError
from aecorpy.demo.catching_up import caught_up
from aecorpy.demo.permits.application import PermitApplication
from aecorpy.demo.permits.comparison import activity_counts, case_rows, differences
from aecorpy.demo.permits.log import BadLog, Log, read_log
from aecorpy.demo.permits.replay import Replayed, patience_with_permits, replay
from aecorpy.demo.permits.views import ActivityCounts, PermitCases
from aecorpy.demo.progress import progress
from aecorpy.demo.stopping import stop_wish
from aecorpy.demo.stores import lasting, shown, store_url
from journal.errors import InvalidUrl

LINES_SHOWN = 30


def main(arguments: list[str] | None = None) -> int:
    """Replay a log; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        log = read_log(options.file)
        say(f"{log.rows:,} activities of {len(log.cases):,} cases, into {shown(options.store)}")
        with store_url(options.store) as url:
            return asyncio.run(_run(log, url))
    except (BadLog, InvalidUrl) as error:
        return _failed(str(error), 2)
    except (AecorError, JournalError) as error:
        return _failed(f"{type(error).__name__}: {error}", 1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _failed("given up", 130)


def say(line: str) -> None:
    """Tell the user."""
    print(f"permits: {line}", flush=True)


async def _run(log: Log, url: str) -> int:
    clock = asyncio.get_running_loop().time
    async with ClusterNode("permits", journal=url) as node:
        permits = await node.deploy(PermitApplication)
        views = [
            await node.distribute("PermitCases", PermitCases()),
            await node.distribute("PermitActivities", ActivityCounts()),
        ]
        with stop_wish(say) as stop, progress("permits", log.rows, "activities", clock) as advance:
            began = clock()
            replayed = await replay(log, permits, stop, patience_with_permits(stop, Random(0).random), advance)
            sent = clock()
        _tell_replayed(replayed, sent - began)
        if stop.is_set:
            say("interrupted: run it again on the same store to go on")
            return stop.exit_code
        for view in views:
            await caught_up(view)
        say(f"the views were up to date {clock() - sent:.2f} s later")
        cases = {row.case_id: row async for row in PermitCases.table.rows(node.database)}
        counts = await ActivityCounts.read(node.database)
    _tell_counts(counts)
    wrong = [
        *replayed.refused,
        *differences("case", case_rows(log), cases),
        *differences("activity", activity_counts(log), counts),
    ]
    totals = f"events={sum(counts.values())} cases={len(cases)} activities={len(counts)}"
    return _tell_end(f"recorded={replayed.recorded} known={replayed.known} {totals}", wrong)


def _tell_replayed(replayed: Replayed, seconds: float) -> None:
    answered = replayed.recorded + replayed.known
    say(f"{answered:,} commands in {seconds:.1f} s ({answered / seconds:,.0f} a second)")
    if replayed.recorded or not replayed.known:
        say(f"{replayed.recorded:,} tasks recorded, {replayed.known:,} known already")
    else:
        say(f"nothing new: all {replayed.known:,} tasks are in the journal already")


def _tell_counts(counts: dict[str, int]) -> None:
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    for activity, done in most[:LINES_SHOWN]:
        say(f"{done:>7,} × {activity}")
    if len(most) > LINES_SHOWN:
        say(f"… and {len(most) - LINES_SHOWN:,} more activities")


def _tell_end(totals: str, wrong: list[str]) -> int:
    for finding in wrong[:LINES_SHOWN]:
        say(finding)
    if wrong:
        return _failed(f"{totals}: {len(wrong):,} differences between the views and the file", 1)
    say(f"ok {totals}: the views equal the file")
    return 0


def _failed(why: str, exit_code: int) -> int:
    say(f"FAILED {why}")
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aecorpy.demo.permits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE.csv", type=Path, help="the log")
    parser.add_argument(
        "--store",
        metavar="URL",
        type=lasting,
        help="sqlite:///FILE or postgresql://…; by default a SQLite file that is removed",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
