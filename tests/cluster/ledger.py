"""What callers were told, and whether the journal and the owners' own records agree with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass, field

from aecorpy import Behaviour, OutcomeUnknown, Unavailable
from journal.contract import JournalStore
from journal.database import open_database
from journal.records import StoredEvent
from tests.cluster.notes import Note, Written
from tests.cluster.records import Owned

ANSWERED, REFUSED, UNKNOWN, FAILED = "answered", "refused", "unknown", "failed"
PAGE = 5_000


async def told(call: Awaitable[object]) -> tuple[str, str]:
    """What a caller is told, in one word, and the error's own words."""
    try:
        value = await call
    except Unavailable as error:  # nothing happened
        return REFUSED, f"{type(error).__name__}: {error}"
    except OutcomeUnknown as error:
        return UNKNOWN, f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - what else it may be is for the ledger's reader
        return FAILED, f"{type(error).__name__}: {error}"
    return ANSWERED, str(value)


@dataclass
class Ledger:
    """What was told of which command.

    Attributes:
        outcomes: by command id.
        surprises: errors that no caller of a cluster under faults should get.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    _last: int = 0

    def new_id(self, prefix: str = "c") -> str:
        """An id that no other command of this ledger has."""
        self._last += 1
        return f"{prefix}-{self._last}"

    def note(self, command: str, outcome: str, text: str = "") -> None:
        """The caller of `command` was told `outcome`."""
        self.outcomes[command] = outcome
        if outcome == FAILED:
            self.surprises.append(f"{command}: {text}")

    def count(self, outcome: str) -> int:
        """How many were told that."""
        return sum(one == outcome for one in self.outcomes.values())


@dataclass
class Findings:
    """What does not agree; all empty when all is well.

    Attributes:
        lost: answered commands without an event.
        duplicated: commands with more than one event.
        done_nevertheless: commands with an event whose callers were told that nothing happened.
        double_owner: shards with two owners under one epoch, and events under an epoch behind a newer one's.
        out_of_order: holes and repeats in the numbers of a shard or an entity.
        surprises: the ledger's.
    """

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    done_nevertheless: list[str] = field(default_factory=list)
    double_owner: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    events: int = 0

    def follow(self, record: StoredEvent, numbers: dict[str, int]) -> None:
        """Check that `record` continues its shard and its entity.

        Args:
            record: the journal's next one, shard by shard.
            numbers: the last number of each entity, shard and shard's epoch; kept up to date.
        """
        place = f"shard {record.shard} offset {record.offset}"
        for name, number in ((f"key {record.key}", record.seq_nr), (f"shard {record.shard}", record.offset)):
            if number != numbers.get(name, 0) + 1:
                self.out_of_order.append(f"{place}: {name} goes from {numbers.get(name, 0)} to {number}")
            numbers[name] = number
        epoch = f"epoch of {record.shard}"
        if record.epoch < numbers.get(epoch, 0):
            self.double_owner.append(f"{place}: epoch {record.epoch} behind an event of epoch {numbers[epoch]}")
        numbers[epoch] = max(record.epoch, numbers.get(epoch, 0))

    @property
    def all(self) -> list[str]:
        """Everything that was found, in words."""
        kinds = ("lost", "duplicated", "done_nevertheless", "double_owner", "out_of_order", "surprises")
        return [f"{kind}: {one}" for kind in kinds for one in getattr(self, kind)]


async def audit(url: str, note: type[Note], ledger: Ledger, owned: Iterable[Owned]) -> Findings:
    """Read the whole journal, and compare.

    Args:
        url: where the journal is.
        note: the entity class.
        ledger: what callers were told.
        owned: what all processes recorded.
    """
    behaviour, shards = Behaviour.of(note), note.tagging.shard_count
    findings = Findings(surprises=list(ledger.surprises))
    writers: dict[tuple[int, int], set[str]] = {}
    ids: Counter[str] = Counter()
    numbers: dict[str, int] = {}
    database = await open_database(url)
    try:
        store = await database.journal(behaviour.name, shards)
        async for record in _records(store, shards):
            written: Written = behaviour.events.decode(record.type_name, record.version, record.payload)
            ids[written.id] += 1
            writers.setdefault((record.shard, record.epoch), set()).add(written.by)
            findings.follow(record, numbers)
    finally:
        await database.close()
    findings.events = ids.total()
    _compare_commands(findings, ledger, ids)
    _compare_owners(findings, writers, owned)
    return findings


async def _records(store: JournalStore, shards: int) -> AsyncIterator[StoredEvent]:
    for shard in range(shards):
        after = 0
        while records := await store.read_shards({shard: after}, PAGE):
            for record in records:
                yield record
            after = records[-1].offset


def _compare_commands(findings: Findings, ledger: Ledger, ids: Counter[str]) -> None:
    for command, outcome in ledger.outcomes.items():
        if outcome == ANSWERED and not ids[command]:
            findings.lost.append(command)
        elif outcome == REFUSED and ids[command]:
            findings.done_nevertheless.append(command)
    findings.duplicated += [f"{command}: {count} events" for command, count in ids.items() if count > 1]
    findings.surprises += [f"nobody sent {command}" for command in ids if command not in ledger.outcomes]


def _compare_owners(findings: Findings, writers: dict[tuple[int, int], set[str]], owned: Iterable[Owned]) -> None:
    owners: dict[tuple[int, int], set[str]] = {}
    for one in owned:
        if one.now:
            owners.setdefault((one.shard, one.epoch), set()).add(one.process)
    for place in sorted(owners.keys() | writers.keys()):
        who, wrote = owners.get(place, set()), writers.get(place, set())
        if len(who) > 1 or not wrote <= who:
            where = f"shard {place[0]}, epoch {place[1]}"
            findings.double_owner.append(f"{where}: owned by {sorted(who)}, written by {sorted(wrote)}")
