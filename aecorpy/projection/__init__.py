"""Consumers of events: `TableView` and `SqlView` in the journal's own database, `ForeignSink` elsewhere."""

from aecorpy.pauses import Retry
from aecorpy.projection.contract import FailurePolicy, Projection, SetAside, Step, Stop
from aecorpy.projection.foreign import ForeignSink, Versioned
from aecorpy.projection.runner import ProjectionRunner, TagStatus
from aecorpy.projection.sql import SqlView
from aecorpy.projection.table import Table, TableView

__all__ = [
    "FailurePolicy",
    "ForeignSink",
    "Projection",
    "ProjectionRunner",
    "Retry",
    "SetAside",
    "SqlView",
    "Step",
    "Stop",
    "Table",
    "TableView",
    "TagStatus",
    "Versioned",
]
