"""Eventsourced entities, views and processes, spread over a cluster, that lose nothing and run nothing twice."""

from aecorpy.behaviour import Behaviour
from aecorpy.blocking import BlockingNode
from aecorpy.command import command, query
from aecorpy.committable import Committable, ConsumerId, TagConsumer
from aecorpy.entity import Entity
from aecorpy.errors import (
    AecorError,
    BadPayload,
    ClusterStoreError,
    CommandFailed,
    Conflict,
    CorruptRecord,
    DeadlinePassed,
    DeploymentMismatch,
    Fenced,
    ImpossibleEvent,
    InvalidDefinition,
    InvalidName,
    JournalError,
    NodeNameTaken,
    NodeStopping,
    OutcomeUnknown,
    Overloaded,
    RecoveryFailed,
    Rejection,
    SchemaMismatch,
    ShardMoved,
    Unavailable,
    UnsafeSetting,
    WrongShardCount,
)
from aecorpy.fold import Fold, Folded, Impossible, Next
from aecorpy.heap import settle_heap
from aecorpy.node import ClusterNode
from aecorpy.process_manager import Commands, ProcessManager
from aecorpy.processing.deployment import KillSwitch
from aecorpy.processing.process import HeldProcess, Process, ProcessContext, RunningProcess
from aecorpy.processing.worker import Patience
from aecorpy.projection import ForeignSink, Retry, SetAside, SqlView, Stop, Table, TableView, Versioned
from aecorpy.refs import ActorRefs, EntityRefs
from aecorpy.snapshotting import Snapshotting
from journal.codec import event, snapshot, upcast
from journal.events import EntityEvent
from journal.metadata import Cause, Metadata
from journal.tagging import EventTag, Tagging
from sharding.settings import ClusterSettings

__version__ = "0.1.0"

__all__ = [
    "ActorRefs",
    "AecorError",
    "BadPayload",
    "Behaviour",
    "BlockingNode",
    "Cause",
    "ClusterNode",
    "ClusterSettings",
    "ClusterStoreError",
    "CommandFailed",
    "Commands",
    "Committable",
    "Conflict",
    "ConsumerId",
    "CorruptRecord",
    "DeadlinePassed",
    "DeploymentMismatch",
    "Entity",
    "EntityEvent",
    "EntityRefs",
    "EventTag",
    "Fenced",
    "Fold",
    "Folded",
    "ForeignSink",
    "HeldProcess",
    "Impossible",
    "ImpossibleEvent",
    "InvalidDefinition",
    "InvalidName",
    "JournalError",
    "KillSwitch",
    "Metadata",
    "Next",
    "NodeNameTaken",
    "NodeStopping",
    "OutcomeUnknown",
    "Overloaded",
    "Patience",
    "Process",
    "ProcessContext",
    "ProcessManager",
    "RecoveryFailed",
    "Rejection",
    "Retry",
    "RunningProcess",
    "SchemaMismatch",
    "SetAside",
    "ShardMoved",
    "Snapshotting",
    "SqlView",
    "Stop",
    "Table",
    "TableView",
    "TagConsumer",
    "Tagging",
    "Unavailable",
    "UnsafeSetting",
    "Versioned",
    "WrongShardCount",
    "command",
    "event",
    "query",
    "settle_heap",
    "snapshot",
    "upcast",
]
