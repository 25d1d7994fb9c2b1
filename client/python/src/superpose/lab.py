"""The researcher's side of one server."""

from __future__ import annotations

import dataclasses
import datetime
import operator
import uuid
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose._connection import Connection, Persistence
from superpose.activations import Activations, Input, assemble, make_query, read_input
from superpose.errors import Error, ResourceExhausted, Unavailable
from superpose.jobs import Job, jobs_frame
from superpose.midcoder import Midcoder, corpus_name, get_midcoder, midcoders_frame
from superpose.model import Model, Transcoder, corpora_frame, models_frame
from superpose.v1 import (
    feature_service_pb2,
    job_pb2,
    job_service_pb2,
    midcoder_pb2,
    midcoder_service_pb2,
    model_pb2,
    model_service_pb2,
    server_service_pb2,
)

Layers = int | Sequence[int]
Names = str | Sequence[str]


@dataclasses.dataclass(frozen=True)
class ServerInfo:
    """What a server is.

    Attributes:
        version: Version of Superpose.
        torch_version: Version of LibTorch.
        device: Device that computes, such as ``"cpu"`` or ``"cuda:0"``.
        threads: Threads that compute on a CPU.
        max_unary_tokens: Most tokens of a single reply; more are streamed, without the caller's doing.
        max_message_bytes: Largest message that it accepts.
        capabilities: What it can do.
        start_time: When it started, in UTC.
    """

    version: str
    torch_version: str
    device: str
    threads: int
    max_unary_tokens: int
    max_message_bytes: int
    capabilities: tuple[str, ...]
    start_time: datetime.datetime | None


def connect(address: str, *, user: str | None = None, timeout: float = 60.0) -> Lab:
    """Opens the way to a server. Nothing is sent yet: the first call connects, and says so if there is no server.

    Args:
        address: ``"host:port"``.
        user: Your name, as colleagues see it beside your jobs; the name of your account when left out.
        timeout: Seconds that a call may take, retries included. Waiting for a job and reading what is streamed have no
            such end.
    """
    return Lab(Connection(address, user, timeout))


class Lab:
    """One server: its models, transcoders, corpora, midcoders and jobs. Made by `connect`; thread-safe.

    Names may be given in full (``"models/demo"``) or short (``"demo"``); ``model`` may be left out where there is only
    one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._info: ServerInfo | None = None
        self._bos: dict[str, int] = {}

    # What the server is and holds.

    def info(self) -> ServerInfo:
        """Versions, device and limits of the server."""
        response = self._connection.call(
            self._connection.server.GetServerInfo, server_service_pb2.GetServerInfoRequest()
        )
        self._info = ServerInfo(
            version=response.version,
            torch_version=response.torch_version,
            device=response.device,
            threads=response.threads,
            max_unary_tokens=response.max_unary_tokens,
            max_message_bytes=response.max_message_bytes,
            capabilities=tuple(response.capabilities),
            start_time=_display.moment(response.start_time),
        )
        return self._info

    def models(self) -> pd.DataFrame:
        """The models and their transcoders: a row for each transcoder, and one for a model that has none."""
        pages = self._connection.pages(self._connection.models.ListModels, model_service_pb2.ListModelsRequest())
        return models_frame([model for page in pages for model in page.models])

    def model(self, name: str | None = None) -> Model:
        """A model, for its sizes, its transcoders and its processed weights."""
        request = model_service_pb2.GetModelRequest(name=_model_name(name))
        return Model(self._connection, self._connection.call(self._connection.models.GetModel, request).model)

    def transcoder(self, which: int | str, model: str | None = None) -> Transcoder:
        """A transcoder: by its name, or the only one of a layer."""
        if isinstance(which, str) and which.startswith("models/"):
            model = which.partition("/transcoders/")[0]
        return self.model(model).transcoder(which if isinstance(which, str) else operator.index(which))

    def corpora(self) -> pd.DataFrame:
        """The corpora that jobs may read: a row each."""
        pages = self._connection.pages(self._connection.models.ListCorpora, model_service_pb2.ListCorporaRequest())
        return corpora_frame([corpus for page in pages for corpus in page.corpora])

    # Tokens.

    def tokenize(
        self,
        text: str | Sequence[str],
        *,
        model: str | None = None,
        prepend_bos: bool = True,
        parse_special: bool = True,
    ) -> np.ndarray | list[np.ndarray]:
        """Token ids of a text, int32 [tokens]; of several texts, a list of them.

        Args:
            text: One text or several.
            model: Whose tokenizer.
            prepend_bos: Whether a BOS goes before each text. It is never doubled.
            parse_special: Whether the text of a special token is that token.
        """
        texts = [text] if isinstance(text, str) else list(text)
        request = model_service_pb2.TokenizeRequest(
            model=_model_name(model), texts=texts, prepend_bos=prepend_bos, parse_special=parse_special
        )
        response = self._connection.call(self._connection.models.Tokenize, request)
        ids = [np.array(one.token_ids, dtype=np.int32) for one in response.texts]
        return ids[0] if isinstance(text, str) else ids

    def detokenize(self, tokens: Any, *, model: str | None = None) -> str | list[str]:
        """The text of a sequence of token ids; of several sequences, a list. Bytes that are no UTF-8 are U+FFFD."""
        sequences = read_input(tokens).tokens
        if sequences is None:
            raise TypeError("give token ids, not text")
        several = any(np.ndim(one) > 0 for one in tokens)
        texts = [self._detokenize(sequence, model).text for sequence in sequences]
        return texts if several else texts[0]

    def token_texts(self, tokens: Any, *, model: str | None = None) -> list[str]:
        """The text of each token alone, of one sequence of token ids."""
        return list(self._detokenize(np.asarray(tokens), model).tokens)

    def _detokenize(self, tokens: np.ndarray, model: str | None) -> model_service_pb2.DetokenizeResponse:
        request = model_service_pb2.DetokenizeRequest(model=_model_name(model), token_ids=tokens.tolist())
        return self._connection.call(self._connection.models.Detokenize, request)

    # Activations.

    def activations(
        self,
        text_or_tokens: Any,
        layer: Layers | None = None,
        *,
        transcoder: Names | None = None,
        model: str | None = None,
        top_k: int | None = None,
        features: Any = None,
        prepend_bos: bool = True,
        parse_special: bool = True,
        timeout: float | None = None,
    ) -> Activations | dict[Any, Activations]:
        """Activations of a transcoder's features at every token. What is too much for a single reply is streamed.

        Args:
            text_or_tokens: A text, or several in a list; or token ids, which are used as they are: one sequence in one
                dimension, a sequence a row in two, or a list of sequences of any lengths.
            layer: The layer of the transcoder, from 0. Several layers share one run of the model and give a dict by
                layer.
            transcoder: Its name, in place of `layer`. Several give a dict by the names that were given.
            model: Whose transcoder.
            top_k: Keep only the k largest activations of each token; None keeps all.
            features: Keep only these features: ids, or a mask [d_sae]. Applied before `top_k`.
            prepend_bos: Whether a BOS goes before each text. It is never doubled, and never put before token ids.
            parse_special: Whether the text of a special token is that token.
            timeout: Seconds for a single reply, in place of the connection's.
        """
        selectors = _selectors(layer, transcoder, model)
        given = read_input(text_or_tokens)

        def query(part: Input) -> feature_service_pb2.ActivationsQuery:
            return make_query(
                list(selectors.values()),
                part,
                top_k=top_k,
                features=features,
                prepend_bos=prepend_bos,
                parse_special=parse_special,
            )

        parts = self._activation_parts(given, query, timeout)
        found = assemble(parts, self._bos_token_id(parts[0].layers[0].provenance))
        by_key = dict(zip(selectors, found, strict=True))
        return found[0] if _is_one(layer, transcoder) else by_key

    def _activation_parts(
        self, given: Input, query: Any, timeout: float | None
    ) -> list[feature_service_pb2.Activations]:
        info = self._info or self.info()
        if given.most_tokens <= info.max_unary_tokens:
            request = feature_service_pb2.GetActivationsRequest(query=query(given))
            try:
                return [
                    self._connection.call(
                        self._connection.features.GetActivations, request, timeout=timeout
                    ).activations
                ]
            except ResourceExhausted as error:
                # The server was started again with a lower limit.
                if error.reason != "REQUEST_TOO_LARGE":
                    raise
        # Half of what is accepted leaves room for everything but the sequences.
        return list(self._stream_activations(given, query, info.max_message_bytes // 2))

    def _stream_activations(
        self, given: Input, query: Any, most_bytes: int
    ) -> Iterator[feature_service_pb2.Activations]:
        """Parts in order; a stream that breaks goes on with the first sequence that has not come."""
        persistence = Persistence()
        done = 0
        while done < len(given):
            batch = given.batch_from(done, most_bytes)
            request = feature_service_pb2.StreamActivationsRequest(query=query(batch))
            start = done
            try:
                for response in self._connection.stream(self._connection.features.StreamActivations, request):
                    done += len(response.activations.tokens.lengths)
                    persistence.progressed()
                    yield response.activations
                if done != start + len(batch):
                    raise Unavailable(
                        "UNAVAILABLE", "", f"the stream ended after {done - start} of {len(batch)} sequences"
                    )
            except Error as error:
                persistence.failed(error)

    def _bos_token_id(self, provenance: model_pb2.Provenance) -> int:
        if provenance.model_hash not in self._bos:
            self._bos[provenance.model_hash] = self.model(provenance.model).bos_token_id
        return self._bos[provenance.model_hash]

    # Midcoders.

    def train_midcoder(
        self,
        layer: Layers | None = None,
        corpus: str | None = None,
        *,
        transcoder: Names | None = None,
        model: str | None = None,
        mid_dim: str | None = None,
        gate: str | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        train_tokens: int | None = None,
        batch_size: int | None = None,
        context_length: int | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        adam_eps: float | None = None,
        mse_out_param: float | None = None,
        steps_per_epoch: int | None = None,
        seed: int | None = None,
        order: str | None = None,
        priority: int = 0,
        request_id: str | None = None,
    ) -> Job:
        """Submits a training job and returns it at once. What is left out takes the server's default, named here.

        loss = mse(mid, x_hat W_in + b_in) + mse_out_param * mse(mlp_out, the MLP's own output); AdamW, betas 0.9 and
        0.999, all parameters 0 at the start, the learning rate on a cosine.

        Args:
            layer: The layer of the transcoder, from 0. Several layers share one run of the model and make a midcoder
                each.
            corpus: What to train on. Text corpora keep 5% of their documents apart.
            transcoder: Its name, in place of `layer`; one or several.
            model: Whose transcoder.
            mid_dim: Where the trained map ends: ``"d_mlp"`` (default), the hidden layer, or ``"d_model"``, the residual
                stream.
            gate: ``"relu"`` (default), mid > 0 whatever the model's activation function is, or ``"model"``, that
                function.
            steps: Optimizer steps; 1,000 unless `epochs` or `train_tokens` says how long.
            epochs: The same in schedule epochs of `steps_per_epoch` steps.
            train_tokens: The same in tokens: int(train_tokens / (context_length * batch_size * steps_per_epoch)) + 1
                epochs.
            batch_size: Sequences a step; 32.
            context_length: Tokens of a sequence, BOS included; 128 or the model's context if that is shorter; leave it
                out for a 2-D array.
            lr: Learning rate at the start; 1e-3.
            weight_decay: Decoupled, on all parameters; 1e-3.
            adam_eps: 1e-8. Gradients here are near it.
            mse_out_param: Weight of the loss on the MLP's output; 1.
            steps_per_epoch: The learning rate changes once in this many steps; 10.
            seed: Of the order; 0.
            order: ``"shuffled"`` (default), a new permutation each pass, or ``"sequential"``.
            priority: Higher goes first.
            request_id: The same id with the same request gives the same job; made anew when left out, so that a retry
                never doubles a job.
        """
        spec = midcoder_pb2.MidcoderTrainingSpec(
            transcoders=list(_selectors(layer, transcoder, model).values()),
            corpus=corpus_name(corpus),
            mid_form=_words.to_enum(midcoder_pb2.MidForm, mid_dim, "mid_dim"),
            gate=_words.to_enum(midcoder_pb2.MidGate, gate, "gate"),
            batch_size=batch_size,
            context_length=context_length,
            lr=lr,
            weight_decay=weight_decay,
            adam_eps=adam_eps,
            mse_out_param=mse_out_param,
            steps_per_epoch=steps_per_epoch,
            seed=seed,
            order=_words.to_enum(midcoder_pb2.SequenceOrder, order, "order"),
            **_length(steps=steps, epochs=epochs, train_tokens=train_tokens),
        )
        request = midcoder_service_pb2.TrainMidcoderRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4()), priority=priority
        )
        return Job(self._connection, self._connection.call(self._connection.midcoders.TrainMidcoder, request).job)

    def midcoders(self, limit: int | None = 100) -> pd.DataFrame:
        """Trained midcoders, newest first: a row each, at most `limit` (None: all)."""
        request = midcoder_service_pb2.ListMidcodersRequest()
        pages = self._connection.pages(self._connection.midcoders.ListMidcoders, request, limit)
        return midcoders_frame([midcoder for page in pages for midcoder in page.midcoders])

    def midcoder(self, name: str) -> Midcoder:
        """A trained midcoder by its name."""
        return get_midcoder(self._connection, name)

    # Jobs.

    def jobs(self, state: Names | None = None, *, owner: str | None = None, limit: int | None = 100) -> pd.DataFrame:
        """Jobs, newest first: a row each, at most `limit` (None: all).

        Args:
            state: Only those in this state, or one of these: queued, running, succeeded, failed, cancelled.
            owner: Only this user's.
            limit: At most this many.
        """
        states = [] if state is None else [state] if isinstance(state, str) else list(state)
        request = job_service_pb2.ListJobsRequest(
            states=[_words.to_enum(job_pb2.JobState, one, "state") for one in states], owner=owner or ""
        )
        pages = self._connection.pages(self._connection.jobs.ListJobs, request, limit)
        return jobs_frame([job for page in pages for job in page.jobs])

    def job(self, name: str) -> Job:
        """A job by its name, from whichever notebook it was submitted."""
        request = job_service_pb2.GetJobRequest(name=_display.full_name("jobs", name))
        return Job(self._connection, self._connection.call(self._connection.jobs.GetJob, request).job)

    # The connection.

    def close(self) -> None:
        """Closes the connection; jobs go on."""
        self._connection.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Lab {self._connection.address} as {self._connection.user}>"


def _model_name(model: str | None) -> str:
    return "models/-" if model is None else _display.full_name("models", model)


def _is_one(layer: Any, transcoder: Any) -> bool:
    return isinstance(transcoder, str) or (transcoder is None and np.ndim(layer) == 0)


def _selectors(layer: Layers | None, transcoder: Names | None, model: str | None) -> dict[Any, str]:
    """How the protocol names the transcoders that were asked for, by what the caller called them."""
    if (layer is None) == (transcoder is None):
        raise ValueError("say either which layer or which transcoder")
    parent = _model_name(model)
    if transcoder is not None:
        names = [transcoder] if isinstance(transcoder, str) else list(transcoder)
        return {name: name if "/" in name else f"{parent}/transcoders/{name}" for name in names}
    layers: list[Any] = [layer] if np.ndim(layer) == 0 else list(layer)  # type: ignore[arg-type, list-item]
    numbers = [operator.index(number) for number in layers]
    return {number: f"{parent}/layers/{number}" for number in numbers}


def _length(**lengths: int | None) -> dict[str, int]:
    given = {name: value for name, value in lengths.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"say how long by one of {', '.join(given)}, not by all")
    return given
