"""Activations from a real server, against dense numpy."""

import dataclasses

import numpy as np
import pytest
import superpose
from conftest import HAS_DEMO
from reference import DenseModel, encode

TEXT = "The cat sat on the mat, naïvely."
DENSE_CASES = [("toy", 0), ("toy", 1), ("toy", 2)] + ([("demo", 0), ("demo", 3)] if HAS_DEMO else [])


@pytest.fixture(scope="module")
def models(lab):
    dense = {}

    def get(name):
        if name not in dense:
            dense[name] = DenseModel(lab.model(name))
        return dense[name]

    return get


@pytest.mark.parametrize(("model", "layer"), DENSE_CASES)
def test_they_are_those_of_a_dense_computation(lab, models, model, layer):
    activations = lab.activations(TEXT, layer=layer, model=model)
    tokens = lab.tokenize(TEXT, model=model)
    np.testing.assert_array_equal(activations.tokens, tokens)
    assert activations.layer == layer
    assert activations.shape == (1, len(tokens), lab.transcoder(layer, model=model).d_sae)
    expected = encode(lab.transcoder(layer, model=model), models(model).x_hat(tokens, layer))
    assert 0.005 < (expected > 0).mean() < 0.5
    # float32 on the server: entries may differ in their last bits, and those near 0 in being there at all.
    np.testing.assert_allclose(activations.to_dense()[0], expected, rtol=1e-4, atol=1e-4)


def test_entries_are_positive_and_in_order(lab):
    activations = lab.activations(TEXT, layer=2, model="toy")
    assert (activations.values > 0).all()
    assert activations.row_splits[0] == 0
    assert activations.row_splits[-1] == len(activations.values)
    for row in range(len(activations.tokens)):
        features = activations.feature_ids[activations.row_splits[row] : activations.row_splits[row + 1]]
        assert (np.diff(features) > 0).all()


def test_a_frame_has_texts_positions_and_the_bos(lab):
    frame = lab.activations(["ab", "c"], layer=2, model="toy").to_frame()
    texts = frame.groupby(["sequence", "position"])["token"].first()
    assert texts[(0, 1)] == "a"
    assert texts[(1, 1)] == "c"
    assert set(frame.loc[frame["is_bos"], "position"]) == {0}
    assert (frame.loc[frame["position"] == 0, "is_bos"]).all()


def test_a_bos_is_left_out_when_asked_and_never_doubled(lab):
    assert lab.activations("ab", layer=0, model="toy", prepend_bos=False).shape[1] == 2
    assert lab.activations("<|endoftext|>ab", layer=0, model="toy").shape[1] == 3
    assert lab.activations("<|endoftext|>ab", layer=0, model="toy", parse_special=False).shape[1] == 1 + 13 + 2


def test_token_arrays_are_used_as_they_are(lab):
    tokens = np.random.default_rng(0).integers(0, 256, size=(3, 7))
    activations = lab.activations(tokens, layer=1, model="toy")
    assert activations.shape == (3, 7, 128)
    np.testing.assert_array_equal(activations.tokens.reshape(3, 7), tokens)
    assert not activations.is_bos.any()
    alone = lab.activations(tokens[1], layer=1, model="toy")
    np.testing.assert_allclose(alone.to_dense()[0], activations.to_dense()[1], rtol=1e-5, atol=1e-5)


def test_sequences_of_different_lengths_are_padded_only_in_dense(lab):
    activations = lab.activations([[1, 2, 3], [4]], layer=1, model="toy")
    assert activations.shape == (2, 3, 128)
    assert activations.to_scipy().shape == (4, 128)
    assert not activations.to_dense()[1, 1:].any()


def test_top_k_keeps_the_largest(lab):
    dense = lab.activations(TEXT, layer=2, model="toy").to_dense()[0]
    kept = lab.activations(TEXT, layer=2, model="toy", top_k=3)
    assert (kept.l0 <= 3).all()
    np.testing.assert_array_equal(kept.to_dense()[0].max(axis=1), dense.max(axis=1))
    np.testing.assert_allclose(kept.to_dense()[0].sum(axis=1), np.sort(dense, axis=1)[:, -3:].sum(axis=1), rtol=1e-6)


def test_chosen_features_are_columns_of_all(lab):
    dense = lab.activations(TEXT, layer=2, model="toy").to_dense()[0]
    chosen = np.flatnonzero(dense.max(axis=0) > 0)[::3]
    kept = lab.activations(TEXT, layer=2, model="toy", features=chosen).to_dense()[0]
    np.testing.assert_array_equal(kept[:, chosen], dense[:, chosen])
    assert not np.delete(kept, chosen, axis=1).any()


def test_several_layers_are_a_dict(lab):
    found = lab.activations(TEXT, layer=[2, 0], model="toy")
    assert list(found) == [2, 0]
    assert found[0].transcoder == "models/toy/transcoders/layer0"
    for layer, activations in found.items():
        one = lab.activations(TEXT, layer=layer, model="toy")
        np.testing.assert_allclose(activations.to_dense(), one.to_dense(), rtol=1e-5, atol=1e-5)


def test_transcoders_are_chosen_by_name(lab):
    tokens = [[1, 2, 3]]
    found = lab.activations(tokens, transcoder=["a", "b"], model="bare")
    assert list(found) == ["a", "b"]
    one = lab.activations(tokens, transcoder="models/bare/transcoders/b")
    assert one.transcoder == found["b"].transcoder
    np.testing.assert_array_equal(one.to_dense(), found["b"].to_dense())


def test_provenance_says_what_they_were_computed_from(lab):
    activations = lab.activations(TEXT, layer=2, model="toy")
    assert activations.provenance["model_hash"] == lab.model("toy").content_hash
    assert activations.provenance["transcoder_hash"] == lab.transcoder(2, model="toy").content_hash
    assert "normalized" in activations.provenance["convention"]
    assert activations.provenance["matmul_precision"] == "float32"


def test_more_than_a_reply_holds_is_streamed(lab, server):
    tokens = np.random.default_rng(1).integers(0, 256, size=(20, 32))
    streamed_before = server.calls("StreamActivations")
    activations = lab.activations(tokens, layer=[0, 2], model="toy")
    assert server.calls("StreamActivations") == streamed_before + 1
    assert activations[2].shape == (20, 32, 128)
    for row in [0, 7, 19]:
        one = lab.activations(tokens[row], layer=2, model="toy")
        np.testing.assert_allclose(activations[2].to_dense()[row], one.to_dense()[0], rtol=1e-5, atol=1e-5)
    assert server.calls("StreamActivations") == streamed_before + 1


def test_more_than_a_message_holds_is_several_streams(lab, server, monkeypatch):
    tokens = np.random.default_rng(2).integers(0, 256, size=(20, 32))
    whole = lab.activations(tokens, layer=2, model="toy")
    monkeypatch.setattr(lab, "_info", dataclasses.replace(lab.info(), max_message_bytes=2 * 3 * (10 + 5 * 32)))
    before = server.calls("StreamActivations")
    in_parts = lab.activations(tokens, layer=2, model="toy")
    assert server.calls("StreamActivations") == before + 7
    np.testing.assert_array_equal(in_parts.tokens, whole.tokens)
    np.testing.assert_allclose(in_parts.to_dense(), whole.to_dense(), rtol=1e-5, atol=1e-5)


def test_a_broken_stream_goes_on_with_the_next_sequence(lab, monkeypatch):
    tokens = np.random.default_rng(3).integers(0, 256, size=(60, 64))  # several parts
    whole = lab.activations(tokens, layer=2, model="toy")
    stream = lab._connection.stream
    requests = []

    def break_once(method, request, **options):
        requests.append(request)
        for number, response in enumerate(stream(method, request, **options)):
            if len(requests) == 1 and number == 1:
                raise superpose.Unavailable("UNAVAILABLE", "", "connection reset")
            yield response

    monkeypatch.setattr(lab._connection, "stream", break_once)
    again = lab.activations(tokens, layer=2, model="toy")
    assert len(requests) == 2
    assert 0 < len(requests[1].query.tokens.lengths) < 60
    np.testing.assert_array_equal(again.tokens, whole.tokens)
    np.testing.assert_allclose(again.to_dense(), whole.to_dense(), rtol=1e-5, atol=1e-5)


def test_a_lower_limit_than_the_server_said_at_first_is_no_error(lab, monkeypatch):
    monkeypatch.setattr(lab, "_info", dataclasses.replace(lab.info(), max_unary_tokens=10**6))
    assert lab.activations(np.ones((20, 32), dtype=int), layer=2, model="toy").shape == (20, 32, 128)


@pytest.mark.parametrize(
    ("call", "kind", "reason"),
    [
        ({"layer": 3, "model": "toy"}, superpose.InvalidArgument, "LAYER_OUT_OF_RANGE"),
        ({"layer": 0, "model": "other"}, superpose.NotFound, "MODEL_NOT_FOUND"),
        ({"layer": 0}, superpose.FailedPrecondition, "SELECTOR_AMBIGUOUS"),
        ({"layer": 0, "model": "bare"}, superpose.NotFound, "TRANSCODER_NOT_FOUND"),
        ({"layer": 1, "model": "bare"}, superpose.FailedPrecondition, "SELECTOR_AMBIGUOUS"),
        ({"transcoder": "c", "model": "toy"}, superpose.NotFound, "TRANSCODER_NOT_FOUND"),
        ({"layer": 0, "model": "toy", "features": [128]}, superpose.InvalidArgument, "FEATURE_OUT_OF_RANGE"),
        ({"text_or_tokens": [[257]], "layer": 0, "model": "toy"}, superpose.InvalidArgument, "TOKEN_OUT_OF_RANGE"),
        ({"text_or_tokens": [], "layer": 0, "model": "toy"}, superpose.InvalidArgument, "EMPTY_INPUT"),
        ({"text_or_tokens": [[1], []], "layer": 0, "model": "toy"}, superpose.InvalidArgument, "EMPTY_INPUT"),
        ({"text_or_tokens": "", "layer": 0, "model": "toy"}, superpose.InvalidArgument, "EMPTY_INPUT"),
        ({"text_or_tokens": [1] * 65, "layer": 0, "model": "toy"}, superpose.InvalidArgument, "CONTEXT_EXCEEDED"),
        ({"text_or_tokens": [[1] * 65] * 5, "layer": 0, "model": "toy"}, superpose.InvalidArgument, "CONTEXT_EXCEEDED"),
        (
            {"text_or_tokens": "text", "transcoder": "a", "model": "bare"},
            superpose.FailedPrecondition,
            "TOKENIZER_MISSING",
        ),
    ],
)
def test_what_cannot_be_computed_says_why(lab, call, kind, reason):
    with pytest.raises(kind) as caught:
        lab.activations(**({"text_or_tokens": [1, 2]} | call))
    assert caught.value.reason == reason


def test_which_transcoder_must_be_said_once(lab):
    with pytest.raises(ValueError, match="layer or which transcoder"):
        lab.activations("text")
    with pytest.raises(ValueError, match="layer or which transcoder"):
        lab.activations("text", layer=0, transcoder="layer0")


def test_a_deadline_that_has_passed_is_said(lab, server):
    with server.paused(), pytest.raises(superpose.DeadlineExceeded):
        lab.activations(TEXT, layer=2, model="toy", timeout=0.1)
    assert lab.activations("a", layer=2, model="toy").shape == (1, 2, 128)
