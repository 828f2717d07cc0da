"""A cluster that books concert seats while a node is killed and another one joins; nothing is lost or doubled.

Several node processes share a store. Many callers, in this process, place and cancel bookings, pay by lines in a file,
and make mistakes that are rejected. The rest goes on by itself, each part once in the cluster: a process manager
reserves seats and confirms or denies, one process reads the payments, another lets expire what nobody pays for. After
a while one node is killed by SIGKILL, the one that coordinates half of the time; later another one is added. Afterwards
a node that starts anew compares what callers were told with the journal and the view, and checks that every booking has
come to its end, that each payment counts once, and that no seat was given away twice. The last line counts, and says
how it went:

  acked        callers were told that they are committed
  in_journal   found in the journal under the ids of callers' commands
  in_view      taken in by the view's rows, without the reactions
  lost         acked but not in the journal, or in the journal but not in the view
  duplicated   more often in the journal than acked, or in the view than in the journal
  failover_ms  milliseconds from the kill until each shard of the dead node had answered a command
  moved        shards of bookings that changed owner because of the kill and of the added node
  reactions    events of bookings that confirmation, payments and expiry led to
  bookings     were placed, and are settled, denied, cancelled or expired
  seats        reserved in the end: those of the settled bookings
  payments     counted once each; the other ones came too late

A caller that is told "not now" sends again. One that is told "unknown" (the node died with the command) looks first,
and repeats only what was not done. What is unknown is not counted in the line, but checked, and said.

Ctrl-C stops sending, finishes what is under way, and checks that.

Exit code: 0 when all agree; 1 when not; 2 for a wrong argument; 130 after Ctrl-C when all agree.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from datetime import UTC, datetime
from random import Random

from aecorpy import AecorError, ClusterStoreError, JournalError
from aecorpy.demo.audit import Audit
from aecorpy.demo.ending import ENDS
from aecorpy.demo.fleet import Fleet
from aecorpy.demo.ledger import Answer, Ledger
from aecorpy.demo.play import Outcome, Play
from aecorpy.demo.stage import stage
from aecorpy.demo.stopping import StopWish, stop_wish
from aecorpy.demo.stores import folder, lasting, shown, store_url
from aecorpy.demo.tickets import Plan, check, heads
from aecorpy.demo.warnings import Warnings, kept_warnings
from journal.errors import InvalidUrl
from sharding.store import InvalidStoreUrl

FINDINGS_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit code."""
    options = _parser().parse_args(arguments)
    with folder() as own, store_url(options.store) as url:
        run = f"{datetime.now(UTC):%y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        seed = secrets.randbelow(1_000) if options.seed is None else options.seed
        plan = Plan(url, run, options.bookings, options.callers, Random(run), own / f"payments-{run}.jsonl")
        size = f"{options.nodes} nodes, {plan.callers} callers, {options.seconds:g} s"
        say(f"{size}, seed {seed}, in {shown(options.store)}")
        try:
            return asyncio.run(_demo(plan, options, Random(seed)))
        except (InvalidUrl, InvalidStoreUrl) as error:
            return _failed(str(error), 2)
        except (AecorError, JournalError, ClusterStoreError) as error:
            return _failed(f"{type(error).__name__}: {error}", 1)
        except (KeyboardInterrupt, asyncio.CancelledError):
            return _failed("given up before the check", 130)


def say(line: str) -> None:
    """Tell the user."""
    print(f"demo: {line}", flush=True)


async def _demo(plan: Plan, options: argparse.Namespace, fate: Random) -> int:
    clock = asyncio.get_running_loop().time
    with stop_wish(say) as stop, kept_warnings() as warnings:
        before = await heads(plan.journal)
        began = clock()
        async with Fleet(str(plan.journal), plan.payments) as fleet:
            with stage(say, clock) as shown_on:
                outcome = await Play(plan, options.seconds, options.nodes, fate, fleet, shown_on, stop).run()
            _tell_commands(outcome.ledger, clock() - began)
            await fleet.stop()
            outcome.findings += fleet.findings
        audit = await check(plan, outcome.ledger, before)
    return _tell_end(outcome, audit, warnings, stop)


def _tell_commands(ledger: Ledger, seconds: float) -> None:
    commands = len(ledger.told)
    done, refused = ledger.count(Answer.ACKNOWLEDGED), ledger.count(Answer.NO)
    say(
        f"{commands:,} commands in {seconds:.1f} s ({commands / seconds:,.0f} a second): {done:,} acknowledged, "
        f"{refused:,} rejected on purpose; and {ledger.queries:,} queries"
    )
    for reason, times in ledger.given_up.items():
        say(f"{times:,} bookings were left where they were: {reason}")


def _tell_end(outcome: Outcome, audit: Audit, warnings: Warnings, stop: StopWish) -> int:
    if audit.unknown:
        done = audit.unknown_done
        say(f"{audit.unknown:,} commands whose outcome callers were not told; {done:,} of them are in the journal")
    wrong = [*outcome.findings, *outcome.ledger.surprises, *audit.findings]
    if wrong:
        for line in warnings.kept:
            say(f"warned: {line}")
    for finding in wrong[:FINDINGS_SHOWN]:
        say(finding)
    if len(wrong) > FINDINGS_SHOWN:
        say(f"… and {len(wrong) - FINDINGS_SHOWN:,} more")
    went_through = audit.acked > 0 and outcome.failover_ms is not None
    ok = audit.is_clean and not wrong and (went_through or stop.is_set)
    word = "FAILED" if not ok else "interrupted" if stop.is_set else "ok"
    counts = f"acked={audit.acked} in_journal={audit.in_journal} in_view={audit.in_view}"
    failover = "-" if outcome.failover_ms is None else outcome.failover_ms
    figures = f"failover_ms={failover} moved={outcome.moved}"
    ends = " ".join(f"{end.value}={audit.ends[end]}" for end in ENDS)
    more = f"reactions={audit.reactions} bookings={audit.bookings} {ends} seats={audit.seats} payments={audit.payments}"
    say(f"{word} {counts} lost={audit.lost} duplicated={audit.duplicated} {figures} {more}")
    return 1 if not ok else stop.exit_code if stop.is_set else 0


def _failed(why: str, exit_code: int) -> int:
    say(f"FAILED {why}")
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aecorpy.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        type=lasting,
        help="sqlite:///FILE or postgresql://…; by default a SQLite file that is removed",
    )
    parser.add_argument("--nodes", type=_at_least_two, default=3, help="how many at first (default: %(default)s)")
    parser.add_argument("--seconds", type=_seconds, default=7.0, help="how long bookings flow (default: %(default)g)")
    parser.add_argument("--callers", type=_positive, default=64, help="bookings at a time (default: %(default)s)")
    parser.add_argument("--bookings", type=_positive, help="at most how many (default: what there is time for)")
    parser.add_argument("--seed", type=int, help="chooses who is killed (default: by chance)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _at_least_two(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 2 to 50")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 on")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
