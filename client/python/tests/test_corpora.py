"""Corpora of one's own: sent, read, used and deleted."""

from __future__ import annotations

import gzip
import io
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest
import superpose
from superpose import _uploads, tokenizing
from superpose._connection import Backoff
from superpose.corpora import corpora_frame, corpus_files

TEXTS = [f"document number {number}, in a few words" for number in range(60)]


def write_lines(path: pathlib.Path, texts: list[str]) -> pathlib.Path:
    data = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def upload(lab):
    """Uploads under names that are free again afterwards."""
    made = []

    def run(name, data, model="toy"):
        corpus = lab.upload_corpus(name, data, model=model, progress=False)
        made.append(corpus)
        return corpus

    yield run
    for corpus in {corpus.name: corpus for corpus in made}.values():
        lab.delete_corpus(corpus)


def test_a_list_of_texts_is_a_document_each(lab, upload):
    corpus = upload("listed", TEXTS)
    assert corpus.name == "corpora/listed"
    assert corpus.model == "models/toy"
    assert corpus.documents == 60
    assert corpus.tokens == sum(len(text) for text in TEXTS) + 59
    assert corpus.owner == "tester"
    assert corpus.uploaded
    assert corpus.create_time is not None
    assert lab.corpus("listed") == corpus
    row = lab.corpora().set_index("corpus").loc["listed"]
    assert row["documents"] == 60
    assert row["heldout_documents"] == corpus.heldout_documents
    assert row["owner"] == "tester"
    assert row["uploaded"]


def test_a_text_is_one_document(upload):
    corpus = upload("texted", "A cat.\nA naïve dog.\n")
    assert (corpus.documents, corpus.tokens) == (1, len("A cat.\nA naïve dog.\n".encode()))


def test_arrays_are_token_ids(upload):
    rows = upload("rowed", np.arange(40).reshape(5, 8))
    assert (rows.row_length, rows.tokens, rows.documents) == (8, 40, 0)
    line = upload("lined", np.arange(40))
    assert (line.row_length, line.tokens) == (0, 40)
    assert rows.content_hash != line.content_hash


def test_files_and_folders_are_one_corpus(tmp_path, upload):
    whole = upload("whole", write_lines(tmp_path / "whole.jsonl", TEXTS))
    folder = tmp_path / "shards"
    folder.mkdir()
    write_lines(folder / "b.jsonl.gz", TEXTS[20:40])
    write_lines(folder / "a.jsonl.gz", TEXTS[:20])
    last = write_lines(tmp_path / "c.jsonl.gz", TEXTS[40:])
    parts = upload("parts", [folder, last])
    assert parts.files == 3
    assert parts.content_hash == whole.content_hash
    assert parts.heldout_tokens == whole.heldout_tokens


def test_it_is_trained_on_and_not_deleted_meanwhile(lab, upload):
    corpus = upload("trained", TEXTS)
    job = lab.train_midcoder(layer=2, corpus=corpus, model="toy", steps=10**8, batch_size=2, context_length=16)
    try:
        with pytest.raises(superpose.FailedPrecondition) as caught:
            lab.delete_corpus("trained")
        assert caught.value.reason == "RESOURCE_IN_USE"
    finally:
        job.cancel()
        with pytest.raises(superpose.Error):
            job.result(timeout=60)


def test_tokens_of_four_bytes_are_said_to_be_so(lab, tmp_path):
    path = tmp_path / "wide.bin"
    np.arange(1, 33, dtype="<u4").tofile(path)
    with pytest.raises(superpose.InvalidArgument, match="uint32"):
        lab.upload_corpus("wide", path, model="toy", progress=False)
    corpus = lab.upload_corpus("wide", path, model="toy", token_dtype="uint32", progress=False)
    try:
        assert corpus.tokens == 32
        np.arange(1, 33, dtype="<u2").tofile(tmp_path / "narrow.bin")
        narrow = lab.upload_corpus(None, tmp_path / "narrow.bin", model="toy", token_dtype="uint16", progress=False)
        assert narrow.content_hash == corpus.content_hash
        lab.delete_corpus(narrow)
    finally:
        lab.delete_corpus(corpus)
    for wrong, data in [("int64", path), ("uint32", ["a text"]), ("uint32", np.arange(3))]:
        with pytest.raises(ValueError, match="token_dtype"):
            lab.upload_corpus("wrong", data, model="toy", token_dtype=wrong, progress=False)


def test_the_same_again_is_no_error_and_other_content_is(upload):
    first = upload("twice", TEXTS)
    assert upload("twice", TEXTS) == first
    with pytest.raises(superpose.AlreadyExists) as caught:
        upload("twice", TEXTS[:3])
    assert caught.value.reason == "RESOURCE_EXISTS"


def test_without_a_name_the_content_names_it(upload):
    corpus = upload(None, TEXTS[:5])
    assert corpus.name == f"corpora/{corpus.content_hash[:12]}"


def test_a_deleted_corpus_is_gone(lab):
    lab.upload_corpus("gone", TEXTS, model="toy", progress=False)
    lab.delete_corpus("gone")
    with pytest.raises(superpose.NotFound):
        lab.corpus("gone")
    with pytest.raises(superpose.NotFound):
        lab.delete_corpus("gone")


def test_a_corpus_of_the_config_file_stays(lab):
    assert not lab.corpus("text").uploaded
    assert pd.isna(lab.corpora().set_index("corpus").loc["text", "owner"])
    with pytest.raises(superpose.FailedPrecondition):
        lab.delete_corpus("text")


@pytest.mark.parametrize(
    ("data", "model", "reason"),
    [
        (["text"], "bare", "TOKENIZER_MISSING"),
        (np.array([1, 999]), "toy", "TOKEN_OUT_OF_RANGE"),
        (["", ""], "toy", "EMPTY_INPUT"),
        (["text"], "other", "MODEL_NOT_FOUND"),
    ],
)
def test_what_the_server_refuses_has_a_reason(lab, data, model, reason):
    with pytest.raises(superpose.Error) as caught:
        lab.upload_corpus("refused", data, model=model, progress=False)
    assert caught.value.reason == reason
    assert "refused" not in set(lab.corpora()["corpus"])


def test_what_is_no_corpus_is_refused_here(tmp_path):
    (tmp_path / "table.csv").write_text("a,b")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.jsonl").write_text("")
    (tmp_path / "empty").mkdir()
    for data, kind in [
        (5, TypeError),
        ([], TypeError),
        ([1, 2], TypeError),
        (["text", 5], TypeError),
        (np.array([0.5]), TypeError),
        (np.zeros((1, 1, 1), dtype=int), TypeError),
        (np.array([], dtype=int), ValueError),
        (np.array([-1]), ValueError),
        (np.array([2**40]), ValueError),
        (str(tmp_path / "a.txt"), ValueError),
        (tmp_path / "table.csv", ValueError),
        ([tmp_path / "a.txt", tmp_path / "b.jsonl"], ValueError),
        (tmp_path / "empty", ValueError),
    ]:
        with pytest.raises(kind), corpus_files(data):
            pass


@pytest.mark.parametrize(("ids", "dtype"), [([0, 65535], "<u2"), ([0, 65536], "<u4")])
def test_arrays_travel_as_narrow_as_they_can(ids, dtype):
    with corpus_files(np.array(ids)) as (ending, (file,)):
        assert ending == ".npy"
        file.seek(0)
        array = np.load(file)
    assert array.dtype == np.dtype(dtype)
    assert array.tolist() == ids


def test_things_show_what_they_are(upload):
    corpus = upload("shown", TEXTS)
    assert "documents 60" in repr(corpus)
    assert "corpora/shown" in corpus._repr_html_()


def test_no_corpora_are_a_frame_with_the_same_columns(lab):
    assert list(corpora_frame([]).columns) == list(lab.corpora().columns)
    assert isinstance(corpora_frame([]), pd.DataFrame)


# Uploads.


def test_a_broken_upload_goes_on_where_it_broke(lab):
    data = np.random.default_rng(1).bytes(5 << 20)
    upload = _uploads._Upload(lab._connection, io.BytesIO(data), None)
    pieces = upload._pieces(0, lambda done: None)

    def three_and_then_none():
        for _ in range(3):
            yield next(pieces)

    lab._connection.send(lab._connection.uploads.WriteUpload, three_and_then_none())
    assert upload._committed() == 3 << 20
    seen = []
    upload._send(seen.append)
    assert seen == [3 << 20, 4 << 20, 5 << 20]


def test_an_upload_goes_on_after_the_server_was_started_again(private_server):
    with superpose.connect(private_server.address, user="tester") as lab:
        data = np.random.default_rng(2).bytes(6 << 20)
        upload = _uploads._Upload(lab._connection, io.BytesIO(data), Backoff(longest=0.5))
        seen = []

        def show(done):
            seen.append(done)
            if len(seen) == 4:
                private_server.kill()
                private_server.start()

        upload._send(show)
        assert upload._committed() == len(data)
        assert seen[0] == 0
        assert seen[-1] == len(data)


def test_bytes_paths_and_files_are_sent_alike(lab, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"the same bytes")
    names = {_uploads.upload_file(lab._connection, source) for source in (b"the same bytes", path, str(path))}
    with path.open("rb") as file:
        names.add(_uploads.upload_file(lab._connection, file))
    assert len(names) == 1
    assert _uploads.upload_file(lab._connection, b"") != names.pop()


def test_without_a_server_an_upload_says_so_soon():
    with superpose.connect("127.0.0.1:1") as lab, pytest.raises(superpose.Unavailable):
        _uploads.upload_file(lab._connection, b"bytes")


# Token files.


def test_a_tokenized_dataset_is_the_corpus_it_was_made_of(lab, tmp_path, upload):
    source = write_lines(tmp_path / "docs.jsonl", [*TEXTS, "", "<|endoftext|> is plain text, naïve"])
    paths = lab.tokenize_dataset(source, tmp_path / "shards", model="toy", shard_tokens=500, progress=False)
    arrays = [np.load(path, mmap_mode="r") for path in paths]
    assert [len(array) for array in arrays[:-1]] == [500] * (len(paths) - 1)
    assert {array.dtype for array in arrays} == {np.dtype("<u2")}
    text, tokens = upload("as-text", source), upload("as-tokens", paths)
    assert tokens.tokens == text.tokens == sum(map(len, arrays))
    ids = np.concatenate(arrays)
    documents = np.split(ids, np.flatnonzero(ids == 256))
    assert lab.detokenize(documents[0].astype(int), model="toy") == TEXTS[0]
    assert len(documents) == 62


def test_texts_files_and_loaded_datasets_give_the_same_tokens(lab, tmp_path):
    given = {
        "texts": TEXTS,
        "rows": [{"text": text, "id": 1} for text in TEXTS],
        "lines": write_lines(tmp_path / "a.jsonl", TEXTS),
        "packed": write_lines(tmp_path / "b.jsonl.gz", TEXTS),
    }
    arrays = {}
    for name, source in given.items():
        [path] = lab.tokenize_dataset(source, tmp_path / f"{name}.npy", model="toy", progress=False)
        arrays[name] = np.load(path)
    for array in arrays.values():
        np.testing.assert_array_equal(array, arrays["texts"])


def test_a_long_text_has_the_tokens_that_it_has_in_one_piece(lab, tmp_path, monkeypatch):
    text = "Once upon a time,\n\n  there was  a cat's naïve\tdog; and 12 34 more. " * 20
    whole = lab.tokenize(text, model="toy", prepend_bos=False, parse_special=False)
    monkeypatch.setattr(tokenizing, "_BATCH_CHARACTERS", 50)
    (tmp_path / "long.txt").write_text(text)
    [path] = lab.tokenize_dataset(tmp_path / "long.txt", tmp_path / "long.npy", model="toy", progress=False)
    np.testing.assert_array_equal(np.load(path), whole)


def test_datasets_are_read_by_column(lab, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"story": TEXTS, "id": list(range(len(TEXTS)))})
    hub = tmp_path / "hub" / "data"
    hub.mkdir(parents=True)
    parquet.write_table(table.slice(0, 30), hub / "train-00000.parquet")
    parquet.write_table(table.slice(30), hub / "train-00001.parquet")
    saved = tmp_path / "saved"
    saved.mkdir()
    with pyarrow.OSFile(str(saved / "data.arrow"), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    expected = lab.tokenize_dataset(TEXTS, tmp_path / "texts.npy", model="toy", progress=False)
    for folder in (tmp_path / "hub", saved):
        paths = lab.tokenize_dataset(
            folder, tmp_path / f"{folder.name}.npy", model="toy", column="story", progress=False
        )
        np.testing.assert_array_equal(np.load(paths[0]), np.load(expected[0]))
    with pytest.raises(ValueError, match="'story'"):
        lab.tokenize_dataset(saved, tmp_path / "wrong.npy", model="toy", progress=False)
    assert not (tmp_path / "wrong.npy").exists()


def test_without_pyarrow_the_way_to_it_is_said(lab, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"superpose\[datasets\]"):
        lab.tokenize_dataset(tmp_path / "a.parquet", tmp_path / "out.npy", model="toy", progress=False)


def test_what_is_no_dataset_is_refused_and_nothing_is_left(lab, tmp_path):
    (tmp_path / "dict").mkdir()
    (tmp_path / "dict/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    (tmp_path / "filtered").mkdir()
    (tmp_path / "filtered/state.json").write_text(
        '{"_data_files": [{"filename": "a"}], "_indices_data_files": [{"filename": "b"}]}'
    )
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n{"no": 1}\n')
    (tmp_path / "a.csv").write_text("a")
    for source, kind, words in [
        (tmp_path / "nowhere", FileNotFoundError, "nowhere"),
        (tmp_path / "dict", FileNotFoundError, "dict/train"),
        (tmp_path / "filtered", ValueError, "flatten_indices"),
        (tmp_path / "bad.jsonl", ValueError, "line 2"),
        (tmp_path / "a.csv", ValueError, ".jsonl"),
        ([], ValueError, "no text"),
        ([5], ValueError, "item 0"),
        (5, TypeError, "int"),
    ]:
        with pytest.raises(kind, match=words):
            lab.tokenize_dataset(source, tmp_path / "out.npy", model="toy", progress=False)
    assert not (tmp_path / "out.npy").exists()
    assert not list(tmp_path.glob(".out*"))


def test_what_is_there_is_not_written_over(lab, tmp_path):
    (tmp_path / "there.npy").write_bytes(b"")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_bytes(b"")
    for out in ("there.npy", "full"):
        with pytest.raises(FileExistsError):
            lab.tokenize_dataset(TEXTS, tmp_path / out, model="toy", progress=False)
