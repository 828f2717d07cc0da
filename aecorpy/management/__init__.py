"""Looking at what runs over the cluster, and changing it: all of it by way of the journal's database."""

from aecorpy.management.errors import (
    BeyondHead,
    InvalidPlace,
    ManagementRefused,
    NoSuchDeployment,
    NoSuchLetter,
    NoSuchProcess,
    NoSuchTag,
    NotAProjection,
    NotIdempotent,
    NotNext,
    NotThatFar,
    StillRunning,
)
from aecorpy.management.look import DeploymentSeen, ProcessSeen, TagSeen
from aecorpy.management.operations import Management, Replayed
from aecorpy.processing.actions import Action

__all__ = [
    "Action",
    "BeyondHead",
    "DeploymentSeen",
    "InvalidPlace",
    "Management",
    "ManagementRefused",
    "NoSuchDeployment",
    "NoSuchLetter",
    "NoSuchProcess",
    "NoSuchTag",
    "NotAProjection",
    "NotIdempotent",
    "NotNext",
    "NotThatFar",
    "ProcessSeen",
    "Replayed",
    "StillRunning",
    "TagSeen",
]
