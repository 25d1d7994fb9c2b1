"""Superpose: feature activations and midcoders of transcoders, from a server that holds the models.

import superpose
lab = superpose.connect("127.0.0.1:7077")
lab.activations("The cat sat", layer=2).to_frame()
"""

from superpose.activations import Activations
from superpose.analyses import Analyses
from superpose.answers import (
    DecoderNeighbors,
    DecoderSimilarities,
    FeatureUnits,
    FrequencyProducts,
    NoiseModel,
    PreActivations,
    PredictedDecoders,
)
from superpose.corpora import Corpus
from superpose.direction_answers import FactorDecoders, FactorMatch, Gram, Spectrum, Whitening
from superpose.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    Error,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    JobFailed,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from superpose.factorization import Factorization
from superpose.factorization_plots import FactorizationPlots
from superpose.features import Band, band, live
from superpose.jobs import Job
from superpose.lab import Lab, ServerInfo, connect
from superpose.memory import MemoryEstimate
from superpose.midcoder import Midcoder
from superpose.model import Model, Transcoder
from superpose.plots import SnapshotPlots
from superpose.prompts import Intervention, MlpTensors
from superpose.self_test import SelfTest, SelfTestFigures
from superpose.snapshot import Snapshot
from superpose.tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "Activations",
    "AlreadyExists",
    "Analyses",
    "Band",
    "Cancelled",
    "Corpus",
    "DataLoss",
    "DeadlineExceeded",
    "DecoderNeighbors",
    "DecoderSimilarities",
    "Error",
    "FactorDecoders",
    "FactorMatch",
    "Factorization",
    "FactorizationPlots",
    "FailedPrecondition",
    "FeatureUnits",
    "FrequencyProducts",
    "Gram",
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
    "NoiseModel",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "PreActivations",
    "PredictedDecoders",
    "ResourceExhausted",
    "SelfTest",
    "SelfTestFigures",
    "ServerInfo",
    "Snapshot",
    "SnapshotPlots",
    "Spectrum",
    "Tensor",
    "Transcoder",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Whitening",
    "band",
    "connect",
    "live",
]
