"""What plain Python computes from a log, and where the views differ from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeVar

from aecorpy.demo.permits.log import Log
from aecorpy.demo.permits.views import CaseRow

V = TypeVar("V")


def case_rows(log: Log) -> dict[str, CaseRow]:
    """The row of each case."""
    return {
        case_id: CaseRow(
            case_id,
            len(done),
            done[-1].activity,
            done[-1].resource,
            min(one.done_at for one in done),
            max(one.done_at for one in done),
        )
        for case_id, done in log.cases.items()
    }


def activity_counts(log: Log) -> dict[str, int]:
    """How often each activity was done."""
    return dict(Counter(one.activity for done in log.cases.values() for one in done))


def differences(what: str, file: Mapping[str, V], view: Mapping[str, V]) -> Iterator[str]:
    """Where a view differs from the file, as text.

    Args:
        what: what the keys are, such as "case".
        file: what the file says, by key.
        view: what the view says.
    """
    for key in sorted({*file, *view}):
        if key not in view:
            yield f"{what} {key!r} is missing in the view"
        elif key not in file:
            yield f"{what} {key!r} is in the view, but not in the file: is another log in this store?"
        elif view[key] != file[key]:
            yield f"{what} {key!r}: the view has {view[key]!r}, the file {file[key]!r}"
