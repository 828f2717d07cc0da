"""All mutants, with the promise that each breaks and the number of seeds within which simulation has to find it."""

from __future__ import annotations

from typing import Final

from tests.mutants import cluster_faults, journal_faults, projection_faults
from tests.mutants.mutant import Mutant
from tests.simulation.faults import (
    crashes_unheard,
    cuts,
    joins_cut_off,
    last_writes_late,
    slow_paths,
    store_loses,
    store_slow,
)

MUTANTS: Final = (
    Mutant("no epoch in append", "single-writer", journal_faults.no_epoch_in_append, 50),
    Mutant("no claim", "single-writer", journal_faults.no_claim, 50, kinds=(last_writes_late,)),
    Mutant("reply before commit", "durable", journal_faults.reply_before_commit, 50),
    Mutant(
        "group commit acknowledges all",
        "durable",
        journal_faults.group_acknowledged,
        50,
        kinds=(store_loses, store_slow),
    ),
    Mutant("unknown outcome sent again", "durable", journal_faults.unknown_sent_again, 50),
    Mutant("unknown outcome told as no", "unknown-is-said", journal_faults.unknown_told_as_no, 50),
    Mutant("entity not reloaded after unknown", "durable", journal_faults.not_reloaded, 50),
    Mutant("rejected command's state kept", "durable", journal_faults.rejected_state_kept, 50),
    Mutant("snapshot ahead of the journal", "durable", journal_faults.snapshot_ahead, 50),
    Mutant("query sees uncommitted state", "durable", journal_faults.dirty_read, 50),
    Mutant("lease ignored", "one-instance", cluster_faults.lease_ignored, 50),
    Mutant("lease used up, counted from the answer", "one-instance", cluster_faults.lease_from_the_answer, 50),
    Mutant("dead without probing", "one-instance", cluster_faults.dead_without_probing, 50),
    Mutant(
        "who joins anew is taken for dead",
        "one-instance",
        cluster_faults.joining_dead,
        50,
        kinds=(cuts, slow_paths),
    ),
    Mutant(
        "stale coordinator's write accepted",
        "one-instance",
        cluster_faults.stale_coordinator,
        50,
        kinds=(joins_cut_off,),
    ),
    Mutant("epochs not growing", "single-writer", cluster_faults.epochs_not_growing, 50),
    Mutant("fence not reported", "kept-alive", cluster_faults.fence_ignored, 50, kinds=(crashes_unheard,)),
    Mutant("forwarded request delivered twice", "durable", cluster_faults.delivered_twice, 50, "moves"),
    Mutant("hand-off without waiting for commits", "unknown-is-said", cluster_faults.hand_off_at_once, 50, "moves"),
    Mutant("buffered messages lost in a move", "unknown-is-said", cluster_faults.buffered_lost, 50, "moves"),
    Mutant("nothing is flushed in a move", "unknown-is-said", cluster_faults.not_flushed, 50, "moves"),
    Mutant("who joins gets nothing", "balanced", cluster_faults.joins_for_nothing, 50, "moves"),
    Mutant("projection reads past a hole", "in-order", journal_faults.reading_past_a_hole, 50),
    Mutant("offset outside the transaction", "exactly-once view", projection_faults.offset_apart, 50),
    Mutant("offsets not fenced", "exactly-once view", projection_faults.unfenced_offsets, 50),
    Mutant("projection started twice", "one-instance", projection_faults.started_twice, 50),
)
