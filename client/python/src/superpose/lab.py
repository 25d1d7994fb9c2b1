"""The researcher's side of one server."""

from __future__ import annotations

import dataclasses
import datetime
import operator
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose._connection import Connection, Persistence
from superpose._naming import Layers, Names, is_one, model_name, selectors, transcoder_selector
from superpose._uploads import upload_file
from superpose.activations import Activations, Input, assemble, make_query, read_input
from superpose.corpora import Corpus, check_token_dtype, corpora_frame, corpus_files, corpus_from
from superpose.errors import Error, ResourceExhausted, Unavailable
from superpose.experiments import Experiments
from superpose.jobs import Job, jobs_frame
from superpose.memory import in_words
from superpose.midcoder import Midcoder, corpus_name
from superpose.model import Model, Transcoder, models_frame
from superpose.prompts import (
    Intervention,
    MlpTensors,
    assemble_mlp,
    make_intervention,
    make_prompt,
    predictions_frame,
    read_settings,
    read_which,
)
from superpose.tokenizing import tokenize_documents
from superpose.v1 import (
    corpus_service_pb2,
    feature_service_pb2,
    job_pb2,
    job_service_pb2,
    model_pb2,
    model_service_pb2,
    prompt_service_pb2,
    server_config_pb2,
    server_service_pb2,
)


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
        memory_limit_bytes: Most bytes that models, transcoders and work may hold together.
        memory_used_bytes: Bytes held or promised when it was asked.
    """

    version: str
    torch_version: str
    device: str
    threads: int
    max_unary_tokens: int
    max_message_bytes: int
    capabilities: tuple[str, ...]
    start_time: datetime.datetime | None
    memory_limit_bytes: int
    memory_used_bytes: int

    def _facts(self) -> dict[str, Any]:
        return {
            "LibTorch": self.torch_version,
            "device": self.device,
            "threads": self.threads,
            "largest single reply": f"{self.max_unary_tokens:,} tokens",
            "memory": f"{in_words(self.memory_used_bytes)} of {in_words(self.memory_limit_bytes)}",
            "started": f"{self.start_time:%Y-%m-%d %H:%M} UTC" if self.start_time else "",
            "can": ", ".join(self.capabilities),
        }

    def _repr_html_(self) -> str:
        return _display.html("Superpose", self.version, self._facts())


def connect(address: str, *, user: str | None = None, timeout: float = 60.0) -> Lab:
    """Opens the way to a server. Nothing is sent yet: the first call connects, and says so if there is no server.

    Args:
        address: ``"host:port"``.
        user: Your name, as colleagues see it beside your jobs; the name of your account when left out.
        timeout: Seconds that a call may take, retries included. Waiting for a job and reading what is streamed have no
            such end.
    """
    return Lab(Connection(address, user, timeout))


class Lab(Experiments):
    """One server: its models, transcoders, corpora, midcoders and jobs. Made by `connect`; thread-safe.

    Names may be given in full (``"models/demo"``) or short (``"demo"``); ``model`` may be left out where there is only
    one.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
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
            memory_limit_bytes=response.memory_limit_bytes,
            memory_used_bytes=response.memory_used_bytes,
        )
        return self._info

    def models(self) -> pd.DataFrame:
        """The models and their transcoders: a row for each transcoder, and one for a model that has none."""
        pages = self._connection.pages(self._connection.models.ListModels, model_service_pb2.ListModelsRequest())
        return models_frame([model for page in pages for model in page.models])

    def model(self, name: str | None = None) -> Model:
        """A model, for its sizes, its transcoders and its processed weights."""
        request = model_service_pb2.GetModelRequest(name=model_name(name))
        return Model(self._connection, self._connection.call(self._connection.models.GetModel, request).model)

    def transcoder(self, which: int | str, model: str | None = None) -> Transcoder:
        """A transcoder: by its name, or the only one of a layer."""
        if isinstance(which, str) and which.startswith("models/"):
            model = which.partition("/transcoders/")[0]
        return self.model(model).transcoder(which if isinstance(which, str) else operator.index(which))

    def load_model(self, name: str, path: str, *, timeout: float = 1800.0) -> Model:
        """Loads a model from a Hugging Face folder on the server's disk, while others work.

        What is loaded by a call is not loaded again when the server restarts.

        Args:
            name: What to call it.
            path: The folder, under one that the server's config opens for loading (model_root); relative to it when
                there is only one.
            timeout: Seconds that loading may take.
        """
        entry = server_config_pb2.ModelEntry(name=name, path=path)
        request = model_service_pb2.LoadModelRequest(model=entry)
        loaded = self._connection.call(self._connection.models.LoadModel, request, timeout=timeout, retry=False)
        return Model(self._connection, loaded.model)

    def load_transcoder(
        self,
        path: str,
        layer: int,
        *,
        model: str | None = None,
        id: str | None = None,
        log_sparsity_path: str | None = None,
        input: str | None = None,
        replace: bool = False,
        timeout: float = 1800.0,
    ) -> Transcoder:
        """Loads a transcoder from the server's disk, while others work.

        Args:
            path: A Dunefsky .pt file or a SAELens folder; where it may lie: see `load_model`.
            layer: The layer whose MLP it replaces, from 0.
            model: Of which model.
            id: What to call it; ``"layer{layer}"`` when left out.
            log_sparsity_path: A .pt file of log10 feature frequencies.
            input: What it reads, where its file does not say: ``"normalized_before_gain"`` or
                ``"normalized_after_gain"``.
            replace: Whether one of the same name may be replaced. That one serves until the new one stands, and calls
                under way keep it.
            timeout: Seconds that loading may take.
        """
        entry = server_config_pb2.TranscoderEntry(
            layer=operator.index(layer), path=path, id=id, log_sparsity_path=log_sparsity_path, input=input
        )
        request = model_service_pb2.LoadTranscoderRequest(model=model_name(model), transcoder=entry, replace=replace)
        loaded = self._connection.call(self._connection.models.LoadTranscoder, request, timeout=timeout, retry=False)
        return Transcoder(self._connection, loaded.transcoder)

    def unload(self, what: str | Model | Transcoder, *, timeout: float = 1800.0) -> None:
        """Frees the memory of a model, with its transcoders, or of a transcoder. Returns once calls that use it have
        ended; while jobs use it, it is refused.

        Args:
            what: It, or its name.
            timeout: Seconds to wait for calls under way.
        """
        name = what if isinstance(what, str) else what.name
        if "/transcoders/" in name:
            self._connection.call(
                self._connection.models.UnloadTranscoder,
                model_service_pb2.UnloadTranscoderRequest(name=name),
                timeout=timeout,
                retry=False,
            )
        else:
            self._connection.call(
                self._connection.models.UnloadModel,
                model_service_pb2.UnloadModelRequest(name=model_name(name)),
                timeout=timeout,
                retry=False,
            )

    def corpora(self) -> pd.DataFrame:
        """The corpora that jobs may read: a row each."""
        pages = self._connection.pages(self._connection.corpora.ListCorpora, corpus_service_pb2.ListCorporaRequest())
        return corpora_frame([corpus for page in pages for corpus in page.corpora])

    def corpus(self, name: str) -> Corpus:
        """A corpus by its name."""
        request = corpus_service_pb2.GetCorpusRequest(name=corpus_name(name))
        return corpus_from(self._connection.call(self._connection.corpora.GetCorpus, request).corpus)

    def upload_corpus(
        self,
        name: str | None,
        data: Any,
        *,
        model: str | None = None,
        token_dtype: str | None = None,
        progress: bool = True,
        timeout: float = 1800.0,
    ) -> Corpus:
        """Sends a corpus of your own and waits until the server has read it; colleagues see it too.

        What the server has already is not sent again, and a broken upload goes on where it broke. The same content
        under the same name again gives what is there; other content is refused: delete the old corpus first.

        Args:
            name: What to call it; made from the content when None.
            data: A text (one document); a list of texts (a document each); a numpy array of token ids, 1-D (cut into
                sequences as text is) or 2-D (its rows are the sequences, as they are); or the `pathlib.Path` of a file
                or a folder, or a list of them, all of one kind: .txt, .jsonl (``{"text": ..}`` a line; both also as
                .gz or .zst), .npy or .bin (little-endian).
            model: Whose tokenizer and vocabulary it is read with.
            token_dtype: What .bin files hold: ``"uint16"``, which is meant when nothing is said, or ``"uint32"``.
            progress: Whether to show bars.
            timeout: Seconds that reading it may take the server, once it is there.
        """
        with corpus_files(data) as (ending, files):
            check_token_dtype(token_dtype, ending)
            uploads = [
                upload_file(self._connection, file, progress=progress, description=getattr(file, "name", "upload"))
                if isinstance(file, pathlib.Path)
                else upload_file(self._connection, file, progress=progress)
                for file in files
            ]
        request = corpus_service_pb2.CreateCorpusRequest(
            corpus_id=_display.short_name(name or ""),
            model=model_name(model),
            uploads=uploads,
            format=ending,
            token_dtype=token_dtype or "",
        )
        response = self._connection.call(self._connection.corpora.CreateCorpus, request, timeout=timeout)
        return corpus_from(response.corpus)

    def delete_corpus(self, corpus: str | Corpus) -> None:
        """Deletes a corpus that was uploaded, and its files. Refused while jobs that wait or run read it."""
        request = corpus_service_pb2.DeleteCorpusRequest(name=corpus_name(corpus))
        self._connection.call(self._connection.corpora.DeleteCorpus, request, retry=False)

    def tokenize_dataset(
        self,
        source: Any,
        out: str | os.PathLike[str],
        *,
        model: str | None = None,
        column: str = "text",
        split: str | None = "train",
        shard_tokens: int = 100_000_000,
        progress: bool = True,
    ) -> list[pathlib.Path]:
        """Turns text into token files once, with the server's tokenizer; returns their paths.

        Documents are joined by end-of-text, and special tokens in them are plain text, as in a text corpus. Name the
        files in the server's config, or give them to `upload_corpus`: the server maps them into memory.

        Args:
            source: A .txt (one document), .jsonl, .txt.gz or .jsonl.gz file; a .parquet or .arrow file or the folder
                of a Hugging Face dataset (these need ``pip install 'superpose[datasets]'``); a dataset that is loaded;
                or texts. Hidden files and folders in a folder are passed over.
            out: A folder, for shards ``tokens-00000.npy`` .., or a file that ends in .npy. Neither may be there
                already.
            model: Whose tokenizer.
            column: What the text is called in a dataset and in .jsonl files.
            split: Which part of a dataset that has several, such as ``"validation"``; None takes all. The names of
                files and folders tell, as on the Hugging Face Hub; a folder in which none does is taken whole.
            shard_tokens: Most tokens of a shard.
            progress: Whether to show a bar.
        """
        return tokenize_documents(
            self._connection,
            self.model(model),
            source,
            out,
            column=column,
            split=split,
            shard_tokens=shard_tokens,
            progress=progress,
        )

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
            model=model_name(model), texts=texts, prepend_bos=prepend_bos, parse_special=parse_special
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
        request = model_service_pb2.DetokenizeRequest(model=model_name(model), token_ids=tokens.tolist())
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
            features: Keep only these features, as `Analyses` says: ids, a mask [d_sae], or a band of the
                frequencies of training, such as ``superpose.band(-3, -2)``. Applied before `top_k`.
            prepend_bos: Whether a BOS goes before each text. It is never doubled, and never put before token ids.
            parse_special: Whether the text of a special token is that token.
            timeout: Seconds for a single reply, in place of the connection's.
        """
        asked = selectors(layer, transcoder, model)
        given = read_input(text_or_tokens)

        def query(part: Input) -> feature_service_pb2.ActivationsQuery:
            return make_query(
                list(asked.values()),
                part,
                top_k=top_k,
                features=features,
                prepend_bos=prepend_bos,
                parse_special=parse_special,
            )

        parts = self._activation_parts(given, query, timeout)
        found = assemble(parts, self._bos_token_id(parts[0].layers[0].provenance))
        by_key = dict(zip(asked, found, strict=True))
        return found[0] if is_one(layer, transcoder) else by_key

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

    # Prompts.

    def mlp(
        self,
        text_or_tokens: Any,
        layer: int,
        *,
        which: str | Sequence[str] | None = None,
        transcoder: str | None = None,
        midcoder: str | Midcoder | None = None,
        model: str | None = None,
        prepend_bos: bool = True,
        parse_special: bool = True,
        timeout: float | None = None,
    ) -> MlpTensors:
        """Tensors around one layer's MLP at every token: a mapping of name to numpy array [rows, width].

        Args:
            text_or_tokens: As `activations` takes it.
            layer: The layer, from 0.
            which: Names of tensors: x_hat, pre, gate, mid, out, out_transcoder, out_midcoder. When left out x_hat, pre,
                gate and out, and those of the transcoder and the midcoder where they are given.
            transcoder: For out_transcoder and what a midcoder reads; when left out the midcoder's own, or the only one
                of the layer.
            midcoder: For mid, out_midcoder, and gate if it is to be the midcoder's; of the same layer.
            model: Whose MLP.
            prepend_bos: Whether a BOS goes before each text. It is never doubled, and never put before token ids.
            parse_special: Whether the text of a special token is that token.
            timeout: Seconds for all of it; no limit when left out.
        """
        names = read_which(which, transcoder=transcoder is not None, midcoder=midcoder is not None)
        if model is None and isinstance(midcoder, Midcoder):
            model = midcoder.provenance["model"]
        midcoder_name = midcoder.name if isinstance(midcoder, Midcoder) else midcoder
        request = prompt_service_pb2.GetMlpTensorsRequest(
            prompt=_prompt(text_or_tokens, model, prepend_bos, parse_special),
            layer=operator.index(layer),
            which=names,
            transcoder="" if transcoder is None else transcoder_selector(transcoder, model),
            midcoder="" if midcoder_name is None else _display.full_name("midcoders", midcoder_name),
        )
        persistence = Persistence()
        while True:
            try:
                stream = self._connection.stream(self._connection.prompts.GetMlpTensors, request, timeout=timeout)
                return assemble_mlp(stream, layer, self._bos_token_id)
            except Error as error:
                persistence.failed(error)

    def next_tokens(
        self,
        text_or_tokens: Any,
        k: int = 10,
        *,
        token_ids: Sequence[int] = (),
        all_positions: bool = False,
        model: str | None = None,
        prepend_bos: bool = True,
        parse_special: bool = True,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """What the model takes the next token to be: sequence, position, rank, token_id, token, log_prob, prob.

        A row for each of the `k` most likely tokens after each sequence, most likely first (rank 1), then one for each
        of `token_ids`, which have no rank. `token` is the token's text, or its id where the model has no tokenizer.

        Args:
            text_or_tokens: As `activations` takes it.
            k: How many of the most likely tokens; at most 1,000.
            token_ids: Tokens to report besides, whatever their probability.
            all_positions: After every position in place of the last one of each sequence.
            model: The model that is asked.
            prepend_bos: Whether a BOS goes before each text. It is never doubled, and never put before token ids.
            parse_special: Whether the text of a special token is that token.
            timeout: Seconds, in place of the connection's.
        """
        asked = np.asarray(token_ids, dtype=np.int64).tolist()
        request = prompt_service_pb2.PredictNextTokensRequest(
            prompt=_prompt(text_or_tokens, model, prepend_bos, parse_special),
            top_k=k,
            token_ids=asked,
            all_positions=all_positions,
        )
        response = self._connection.call(self._connection.prompts.PredictNextTokens, request, timeout=timeout)
        return predictions_frame(response, len(asked))

    def intervene(
        self,
        text_or_tokens: Any,
        set: Mapping[Any, float],
        *,
        mode: str = "delta",
        k: int = 10,
        model: str | None = None,
        prepend_bos: bool = True,
        parse_special: bool = True,
        timeout: float | None = None,
    ) -> Intervention:
        """Sets features to values and tells how the predictions of the next token change.

        Layers act in order: a later layer's activations are those after the earlier settings.

        Args:
            text_or_tokens: As `activations` takes it.
            set: The activation, 0 or more, by (layer, feature), at every position but BOS; or by (layer, feature,
                position) or (layer, feature, positions), at these positions of every sequence. A transcoder's name may
                stand in the place of the layer.
            mode: ``"delta"`` adds (value - activation) W_dec to the MLP's output, so that what the transcoder does not
                explain stays; ``"replace"`` puts the transcoder's output, with the features set, in its place.
            k: How many of the most likely tokens to report, before and after; at most 1,000.
            model: Whose features.
            prepend_bos: Whether a BOS goes before each text. It is never doubled, and never put before token ids.
            parse_special: Whether the text of a special token is that token.
            timeout: Seconds, in place of the connection's.
        """
        request = prompt_service_pb2.InterveneRequest(
            prompt=_prompt(text_or_tokens, model, prepend_bos, parse_special),
            settings=read_settings(set, lambda owner: transcoder_selector(owner, model)),
            mode=_words.to_enum(prompt_service_pb2.InterventionMode, mode, "mode"),
            top_k=k,
        )
        response = self._connection.call(self._connection.prompts.Intervene, request, timeout=timeout)
        return make_intervention(response, mode, self._bos_token_id)

    def _bos_token_id(self, provenance: model_pb2.Provenance) -> int:
        if provenance.model_hash not in self._bos:
            self._bos[provenance.model_hash] = self.model(provenance.model).bos_token_id
        return self._bos[provenance.model_hash]

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

    def _repr_html_(self) -> str:
        facts = {"you are": self._connection.user}
        # A cell's end must not wait for a server that is not there, nor fail for want of it.
        try:
            request = model_service_pb2.ListModelsRequest()
            page = self._connection.call(self._connection.models.ListModels, request, timeout=2.0, retry=False)
            names = [_display.short_name(model.name) for model in page.models]
            facts["models"] = ", ".join(names) or "none"
        except Error as error:
            facts["now"] = error.message
        return _display.html("Lab", self._connection.address, facts)


def _prompt(
    text_or_tokens: Any, model: str | None, prepend_bos: bool, parse_special: bool
) -> prompt_service_pb2.Prompt:
    given = read_input(text_or_tokens)
    return make_prompt(model_name(model), given, prepend_bos=prepend_bos, parse_special=parse_special)
