"""The result of an activations call, from hand-made parts."""

import numpy as np
import pytest
from superpose.activations import assemble
from superpose.v1 import feature_service_pb2, model_pb2, tensor_pb2

BOS = 9


def part(sequences, rows, texts=(), layers=1):
    """A part as the server sends it: `rows` is a dict of feature to value for each token."""
    ids = [feature for row in rows for feature in sorted(row)]
    values = [row[feature] for row in rows for feature in sorted(row)]
    sparse = tensor_pb2.SparseActivations(
        rows=len(rows),
        d_sae=6,
        row_splits=np.cumsum([0] + [len(row) for row in rows]).astype("<i8").tobytes(),
        feature_ids=np.array(ids, dtype="<i4").tobytes(),
        values=np.array(values, dtype="<f4").tobytes(),
    )
    layer = feature_service_pb2.LayerActivations(
        provenance=model_pb2.Provenance(model="models/m", transcoder="models/m/transcoders/t"),
        layer=2,
        activations=sparse,
    )
    tokens = tensor_pb2.TokenBatch(
        token_ids=[token for sequence in sequences for token in sequence], lengths=map(len, sequences)
    )
    return feature_service_pb2.Activations(tokens=tokens, token_texts=texts, layers=[layer] * layers)


@pytest.fixture
def activations():
    parts = [
        part([[BOS, 4]], [{0: 1.0, 5: 2.0}, {}], texts=["<bos>", "a"]),
        part([[4, BOS, 7]], [{3: 0.5}, {0: 4.0}, {1: 8.0, 2: 16.0, 5: 32.0}], texts=["a", "<bos>", "b"]),
    ]
    (found,) = assemble(parts, BOS)
    return found


def test_parts_are_joined(activations):
    np.testing.assert_array_equal(activations.tokens, [BOS, 4, 4, BOS, 7])
    np.testing.assert_array_equal(activations.row_splits, [0, 2, 2, 3, 4, 7])
    np.testing.assert_array_equal(activations.feature_ids, [0, 5, 3, 0, 1, 2, 5])
    np.testing.assert_array_equal(activations.values, np.array([1, 2, 0.5, 4, 8, 16, 32], dtype=np.float32))
    assert activations.row_splits.dtype == np.int64
    assert activations.feature_ids.dtype == np.int32
    assert activations.values.dtype == np.float32
    assert activations.provenance == {"model": "models/m", "transcoder": "models/m/transcoders/t"}


def test_shape_is_that_of_the_padded_batch(activations):
    assert activations.shape == (2, 3, 6)


def test_only_a_bos_that_begins_a_sequence_is_one(activations):
    assert activations.is_bos.tolist() == [True, False, False, False, False]


def test_dense_has_every_value_in_its_place(activations):
    expected = np.zeros((2, 3, 6), dtype=np.float32)
    expected[0, 0, [0, 5]] = [1, 2]
    expected[1, 0, 3] = 0.5
    expected[1, 1, 0] = 4
    expected[1, 2, [1, 2, 5]] = [8, 16, 32]
    np.testing.assert_array_equal(activations.to_dense(), expected, strict=True)


def test_scipy_has_a_row_for_each_token(activations):
    matrix = activations.to_scipy()
    assert matrix.shape == (5, 6)
    dense = activations.to_dense()
    np.testing.assert_array_equal(matrix.toarray(), np.concatenate([dense[0, :2], dense[1]]))


def test_frame_has_a_row_for_each_activation(activations):
    frame = activations.to_frame()
    assert list(frame) == ["sequence", "position", "token", "is_bos", "feature", "value"]
    assert frame["sequence"].tolist() == [0, 0, 1, 1, 1, 1, 1]
    assert frame["position"].tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert frame["token"].tolist() == ["<bos>", "<bos>", "a", "<bos>", "b", "b", "b"]
    assert frame["is_bos"].tolist() == [True, True] + [False] * 5
    assert frame["feature"].tolist() == [0, 5, 3, 0, 1, 2, 5]


def test_frame_has_ids_without_a_tokenizer():
    (found,) = assemble([part([[4, 7]], [{1: 1.0}, {2: 1.0}])], BOS)
    assert found.token_texts is None
    assert found.to_frame()["token"].tolist() == [4, 7]


def test_nothing_active_is_an_empty_frame_and_zeros():
    (found,) = assemble([part([[4, 7]], [{}, {}])], BOS)
    assert found.to_frame().empty
    assert found.to_dense().shape == (1, 2, 6)
    assert found.to_scipy().nnz == 0


def test_every_layer_is_a_result():
    assert len(assemble([part([[4]], [{1: 1.0}], layers=3)], BOS)) == 3


def test_it_shows_what_it_is(activations):
    assert "2 sequences x 3 positions x 6 features" in repr(activations)
    assert "<table>" in activations._repr_html_()
