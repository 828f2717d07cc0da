"""Book concert seats, keep them in a journal, fold them into a view, and show that nothing was lost or doubled.

Bookings are taken through their lives by many callers at once: placed, confirmed, paid, denied, cancelled, expired,
with mistakes that are rejected. Afterwards a node that starts anew compares what callers were told with the journal
and the view. The last line counts events:

  acked       callers were told that they are committed
  in_journal  found in the journal under the ids of this run's commands
  in_view     taken in by the view's rows
  lost        acked but not in the journal, or in the journal but not in the view
  duplicated  more often in the journal than acked, or in the view than in the journal

Commands whose outcome a caller does not know (the connection was lost in flight) are looked up in the journal by their
ids: they may be there once, whole, or not at all. They are not counted in the line, but said.

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

from aecorpy import AecorError, JournalError
from aecorpy.demo.audit import Audit
from aecorpy.demo.ledger import Answer, Ledger
from aecorpy.demo.progress import progress
from aecorpy.demo.stopping import StopWish, stop_wish
from aecorpy.demo.stores import lasting, shown, store_url
from aecorpy.demo.tickets import Plan, check, heads, send
from journal.errors import InvalidUrl

FINDINGS_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit code."""
    options = _parser().parse_args(arguments)
    with store_url(options.store) as url:
        run = f"{datetime.now(UTC):%y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        plan = Plan(url, run, options.bookings, options.callers, Random(run), lambda: datetime.now(UTC))
        say(f"{plan.bookings:,} bookings, {plan.callers} at a time, in {shown(options.store)}")
        try:
            return asyncio.run(_demo(plan))
        except InvalidUrl as error:
            return _failed(str(error), 2)
        except (AecorError, JournalError) as error:
            return _failed(f"{type(error).__name__}: {error}", 1)
        except (KeyboardInterrupt, asyncio.CancelledError):
            return _failed("given up before the check", 130)


def say(line: str) -> None:
    """Tell the user."""
    print(f"demo: {line}", flush=True)


async def _demo(plan: Plan) -> int:
    clock = asyncio.get_running_loop().time
    with stop_wish(say) as stop:
        before = await heads(plan.journal)
        began = clock()
        with progress("demo", plan.bookings, "bookings", clock) as advance:
            ledger = await send(plan, stop, advance)
        _tell_commands(ledger, clock() - began)
        audit = await check(plan, ledger, before)
    return _tell_end(ledger, audit, stop)


def _tell_commands(ledger: Ledger, seconds: float) -> None:
    commands = len(ledger.told)
    done, refused = ledger.count(Answer.ACKNOWLEDGED), ledger.count(Answer.NO)
    say(
        f"{commands:,} commands in {seconds:.1f} s ({commands / seconds:,.0f} a second): {done:,} acknowledged, "
        f"{refused:,} rejected on purpose; and {ledger.queries:,} queries"
    )
    for reason, times in ledger.given_up.items():
        say(f"{times:,} bookings were left where they were: {reason}")


def _tell_end(ledger: Ledger, audit: Audit, stop: StopWish) -> int:
    if audit.unknown:
        done = audit.unknown_done
        say(f"{audit.unknown:,} commands whose outcome callers do not know; {done:,} of them are in the journal")
    wrong = [*ledger.surprises, *audit.findings]
    for finding in wrong[:FINDINGS_SHOWN]:
        say(finding)
    if len(wrong) > FINDINGS_SHOWN:
        say(f"… and {len(wrong) - FINDINGS_SHOWN:,} more")
    ok = audit.is_clean and not ledger.surprises and (audit.acked > 0 or stop.is_set)
    word = "FAILED" if not ok else "interrupted" if stop.is_set else "ok"
    counts = f"acked={audit.acked} in_journal={audit.in_journal} in_view={audit.in_view}"
    say(f"{word} {counts} lost={audit.lost} duplicated={audit.duplicated}")
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
    parser.add_argument("--bookings", type=_positive, default=5_000, help="how many (default: %(default)s)")
    parser.add_argument("--callers", type=_positive, default=128, help="how many at a time (default: %(default)s)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
