"""Whether a run of a cluster kept the promises: what callers were told against the journal and the owners' records."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from journal.codec import PayloadCodec
from journal.records import StoredEvent
from tests.simulation.clusters import History, Noted


def broken(history: History) -> list[str]:
    """Which promises the run broke, each with the first that shows it."""
    codec: PayloadCodec[Any] = PayloadCodec(Noted)
    found: dict[tuple[int, int], list[StoredEvent]] = defaultdict(list)
    by_key: dict[str, list[tuple[StoredEvent, Noted]]] = defaultdict(list)
    for stored in history.events:
        noted = codec.decode(stored.type_name, stored.version, stored.payload)
        found[noted.caller, noted.number].append(stored)
        by_key[stored.key].append((stored, noted))
    faults = []
    for sent in history.sent:
        times = len(found[sent.caller, sent.number]) if sent.number else 0
        if sent.told == "ok" and times != 1:
            faults.append(f"durable: {sent} is in the journal {times} times")
        elif sent.told == "no" and times:
            faults.append(f"unknown-is-said: {sent} is in the journal")
        elif times > 1:
            faults.append(f"durable: {sent} is in the journal {times} times")
        elif not sent.told:
            faults.append(f"unknown-is-said: nobody said anything of {sent}")
    answered = {(sent.caller, sent.number) for sent in history.sent if sent.told == "ok"}
    faults += _out_of_order(by_key, answered) + _epochs(history) + _owners(history)
    return faults


def _out_of_order(by_key: dict[str, list[tuple[StoredEvent, Noted]]], answered: set[tuple[int, int]]) -> list[str]:
    """Holes and repeats; and one sender's commands in another order. One whose outcome is unknown may come later."""
    faults = []
    for key, events in by_key.items():
        events.sort(key=lambda one: one[0].seq_nr)
        if [stored.seq_nr for stored, _ in events] != list(range(1, len(events) + 1)):
            faults.append(f"in-order: {key} has a hole or a repeat")
        last: dict[int, int] = {}
        for stored, noted in events:
            if not noted.caller or (noted.caller, noted.number) not in answered:
                continue
            if noted.number <= last.get(noted.caller, 0):
                faults.append(f"in-order: {key} seq_nr {stored.seq_nr}: {noted} comes behind {last[noted.caller]}")
            last[noted.caller] = noted.number
    return faults


def _epochs(history: History) -> list[str]:
    faults, epochs, offsets = [], dict[int, int](), dict[int, int]()
    for stored in sorted(history.events, key=lambda one: (one.shard, one.offset)):
        if stored.offset != offsets.get(stored.shard, 0) + 1:
            faults.append(f"in-order: shard {stored.shard} has a hole before offset {stored.offset}")
        offsets[stored.shard] = stored.offset
        epoch = getattr(stored, "epoch", 0)
        if epoch < epochs.get(stored.shard, 0):
            faults.append(f"single-writer: shard {stored.shard} offset {stored.offset} under an old epoch")
        epochs[stored.shard] = epoch
    return faults


def _owners(history: History) -> list[str]:
    owners: dict[tuple[int, int], str] = {}
    faults = []
    for owned in history.owned:
        before = owners.setdefault((owned.shard, owned.epoch), owned.owner)
        if before != owned.owner:
            faults.append(f"single-writer: shard {owned.shard} epoch {owned.epoch}: {before} and {owned.owner}")
    return faults


def refused(history: History) -> list[str]:
    """Commands that were not carried out although nothing but moves in order went on."""
    return [f"planned move: {sent}" for sent in history.sent if sent.told != "ok" and sent.number]
