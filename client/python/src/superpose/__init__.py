"""Superpose: feature activations and midcoders of transcoders, from a server that holds the models.

import superpose
lab = superpose.connect("127.0.0.1:7077")
lab.activations("The cat sat", layer=2).to_frame()
"""

from superpose.activations import Activations
from superpose.corpora import Corpus
from superpose.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    Error,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    JobFailed,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from superpose.jobs import Job
from superpose.lab import Lab, ServerInfo, connect
from superpose.memory import MemoryEstimate
from superpose.midcoder import Midcoder
from superpose.model import Model, Transcoder
from superpose.prompts import Intervention, MlpTensors
from superpose.self_test import SelfTest, SelfTestFigures
from superpose.snapshot import Snapshot
from superpose.tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "Activations",
    "AlreadyExists",
    "Cancelled",
    "Corpus",
    "DeadlineExceeded",
    "Error",
    "FailedPrecondition",
    "Internal",
    "Intervention",
    "InvalidArgument",
    "Job",
    "JobFailed",
    "Lab",
    "MemoryEstimate",
    "Midcoder",
    "MlpTensors",
    "Model",
    "NotFound",
    "ResourceExhausted",
    "SelfTest",
    "SelfTestFigures",
    "ServerInfo",
    "Snapshot",
    "Tensor",
    "Transcoder",
    "Unavailable",
    "connect",
]
