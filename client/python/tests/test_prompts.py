"""Prompt calls to a real server, against dense numpy."""

import numpy as np
import pytest
import superpose
from reference import DenseModel, encode

TEXT = "The cat sat on the mat."
TEXTS = [TEXT, "A dog."]


@pytest.fixture(scope="module")
def toy(lab):
    return DenseModel(lab.model("toy"))


@pytest.fixture(scope="module")
def tokens(lab):
    return lab.tokenize(TEXT, model="toy")


def decoder(lab, layer):
    return lab.transcoder(layer, model="toy")["W_dec"][:].astype(np.float64)


# mlp


@pytest.mark.parametrize("layer", [0, 2])
def test_the_models_tensors_are_those_of_a_dense_computation(lab, toy, tokens, layer):
    mlp = lab.mlp(TEXT, layer, model="toy")
    assert list(mlp) == ["x_hat", "pre", "gate", "out"]
    np.testing.assert_array_equal(mlp.tokens, tokens)
    assert "".join(mlp.token_texts[1:]) == TEXT
    assert mlp.is_bos.tolist() == [True] + [False] * (len(tokens) - 1)
    expected = toy.mlp(tokens, layer)
    for name in ["x_hat", "pre", "out"]:
        assert mlp[name].dtype == np.float32
        np.testing.assert_allclose(mlp[name], expected[name], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(mlp["gate"], mlp["pre"] > 0)


def test_the_transcoders_output_is_its_decoded_activations(lab, toy, tokens):
    mlp = lab.mlp(TEXT, 2, which="out_transcoder", model="toy")
    transcoder = lab.transcoder(2, model="toy")
    z = encode(transcoder, toy.x_hat(tokens, 2))
    np.testing.assert_allclose(mlp["out_transcoder"], z @ decoder(lab, 2) + transcoder["b_dec_out"][:], atol=1e-4)
    assert mlp.provenance["transcoder"] == transcoder.name


def test_the_midcoders_tensors_are_those_of_a_dense_computation(lab, toy, tokens, midcoder):
    mlp = lab.mlp(TEXT, 2, midcoder=midcoder)
    assert list(mlp) == ["x_hat", "pre", "gate", "out", "mid", "out_midcoder"]
    z = encode(lab.transcoder(2, model="toy"), toy.x_hat(tokens, 2))
    mid = z @ midcoder["W_mid"][:].astype(np.float64) + midcoder["b_mid"][:]
    np.testing.assert_allclose(mlp["mid"], mid, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(mlp["gate"], mlp["mid"] > 0)
    w_out = lab.model("toy")["blocks.2.W_out"][:].astype(np.float64)
    np.testing.assert_allclose(mlp["out_midcoder"], np.maximum(mid, 0) @ w_out + midcoder["b_mid_out"][:], atol=1e-4)
    by_name = lab.mlp(TEXT, 2, which=["mid"], midcoder=midcoder.name, transcoder="layer2", model="toy")
    np.testing.assert_array_equal(by_name["mid"], mlp["mid"])


def test_rows_of_several_sequences_follow_one_another(lab):
    mlp = lab.mlp(TEXTS, 1, which=["out", "x_hat"], model="toy")
    assert list(mlp) == ["out", "x_hat"]
    assert mlp.lengths.tolist() == [len(TEXT) + 1, 7]
    alone = lab.mlp(TEXTS[1], 1, which=["out"], model="toy")
    np.testing.assert_allclose(mlp["out"][mlp.sequence == 1], alone["out"], atol=1e-5)
    assert mlp.position[mlp.sequence == 1].tolist() == list(range(7))


def test_mlp_tensors_say_what_they_are(lab):
    mlp = lab.mlp([1, 2, 3], 1, which="pre", model="toy")
    assert "pre [3, 128]" in repr(mlp)
    assert "<table>" in mlp._repr_html_()
    with pytest.raises(KeyError, match="not asked for"):
        mlp["out"]
    assert lab.mlp([1, 2, 3], 1, which="pre", model="bare").token_texts is None


def test_a_stream_of_tensors_that_breaks_is_read_anew(lab, monkeypatch):
    whole = lab.mlp(TEXT, 1, model="toy")
    stream = lab._connection.stream
    calls = []

    def break_once(method, request, **options):
        calls.append(request)
        for number, response in enumerate(stream(method, request, **options)):
            if len(calls) == 1 and number == 2:
                raise superpose.Unavailable("UNAVAILABLE", "", "connection reset")
            if len(calls) == 2 and number == 1:
                response.chunk.crc32c ^= 1
            yield response

    monkeypatch.setattr(lab._connection, "stream", break_once)
    again = lab.mlp(TEXT, 1, model="toy")
    assert len(calls) == 3
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name])


# next_tokens


def test_predictions_are_those_of_a_dense_computation(lab, toy, tokens):
    frame = lab.next_tokens(TEXT, k=5, token_ids=[3, 250], model="toy")
    expected = toy.log_probs(tokens)[-1]
    assert list(frame["rank"][:5]) == [1, 2, 3, 4, 5]
    assert frame["rank"][5:].isna().all()
    assert set(frame["position"]) == {len(tokens) - 1}
    np.testing.assert_allclose(frame["log_prob"][:5], np.sort(expected)[::-1][:5], atol=1e-4)
    np.testing.assert_allclose(frame["log_prob"], expected[frame["token_id"]], atol=1e-4)
    np.testing.assert_allclose(frame["prob"], np.exp(frame["log_prob"]))
    assert list(frame["token_id"][5:]) == [3, 250]
    assert frame["token"][5] == lab.token_texts([3], model="toy")[0]


def test_predictions_at_all_positions(lab, toy):
    frame = lab.next_tokens(TEXTS, k=1, all_positions=True, model="toy")
    assert frame.groupby("sequence")["position"].apply(list).tolist() == [
        list(range(len(TEXT) + 1)),
        list(range(7)),
    ]
    expected = toy.log_probs(lab.tokenize(TEXTS[1], model="toy"))
    second = frame[frame["sequence"] == 1]
    np.testing.assert_allclose(second["log_prob"], expected.max(axis=1), atol=1e-4)


def test_a_model_without_tokenizer_predicts_ids(lab):
    frame = lab.next_tokens([[1, 2, 3]], k=2, model="bare")
    assert list(frame["token"]) == list(frame["token_id"])
    assert lab.next_tokens([[1, 2]], k=1000, model="bare").shape[0] == 257


# intervene


def kl(before, after):
    return (np.exp(before) * (before - after)).sum(axis=1)


def changed(lab, settings, mode):
    """By hand: what settings {(layer, feature): value} put in the place of MLPs; position 0 is BOS."""

    def change(layer, x_hat, out):
        mine = {feature: value for (at, feature), value in settings.items() if at == layer}
        if not mine:
            return out
        transcoder = lab.transcoder(layer, model="toy")
        z = encode(transcoder, x_hat)
        wanted = z.copy()
        for feature, value in mine.items():
            wanted[1:, feature] = value
        if mode == "replace":
            return wanted @ decoder(lab, layer) + transcoder["b_dec_out"][:]
        return out + (wanted - z) @ decoder(lab, layer)

    return change


@pytest.mark.parametrize("mode", ["delta", "replace"])
def test_an_intervention_is_that_of_a_dense_computation(lab, toy, tokens, mode):
    settings = {(0, 5): 4.0, (2, 7): 0.0, (2, 90): 6.0}
    result = lab.intervene(TEXT, settings, mode=mode, k=3, model="toy")
    before = toy.log_probs(tokens)
    after = toy.log_probs(tokens, changed(lab, settings, mode))
    np.testing.assert_allclose(result.kl, kl(before, after), rtol=1e-3, atol=1e-4)
    rows = np.arange(len(tokens) - 1)
    expected = (after - before)[rows, tokens[1:]]
    np.testing.assert_allclose(result.log_prob_change[:-1], expected, atol=1e-3)
    assert result.log_prob_change[-1] == 0
    effects = result.effects
    np.testing.assert_allclose(effects["before"], before[-1][effects["token_id"]], atol=1e-4)
    np.testing.assert_allclose(effects["after"], after[-1][effects["token_id"]], atol=1e-3)
    top = set(np.argsort(before[-1])[-3:]) | set(np.argsort(after[-1])[-3:])
    assert set(effects["token_id"]) == top
    assert effects["change"].abs().is_monotonic_decreasing
    assert [one["transcoder"] for one in result.provenance] == [
        "models/toy/transcoders/layer0",
        "models/toy/transcoders/layer2",
    ]


def test_own_activations_change_nothing(lab):
    frame = lab.activations(TEXT, layer=2, model="toy").to_frame()
    settings = {(2, row.feature, row.position): row.value for row in frame.itertuples()}
    result = lab.intervene(TEXT, settings, model="toy")
    assert result.kl.max() < 1e-9
    assert np.abs(result.log_prob_change).max() < 1e-5


def test_settings_at_positions_change_nothing_before_them(lab):
    result = lab.intervene(TEXT, {("layer1", 3, (4, 6)): 9.0, (1, 8, 5): 2.0}, model="toy")
    assert (result.kl[:4] == 0).all()
    assert (result.kl[4:] > 0).all()


def test_an_intervention_says_what_it_is(lab):
    result = lab.intervene(TEXTS, {(1, 3): 9.0}, model="toy")
    assert result.mode == "delta"
    frame = result.to_frame()
    assert list(frame.columns) == ["sequence", "position", "token_id", "is_bos", "kl", "log_prob_change"]
    assert len(frame) == result.lengths.sum()
    assert (frame.loc[frame["is_bos"], "kl"] == 0).all()
    assert "largest KL" in repr(result)
    assert "<table>" in result._repr_html_()
    assert lab.intervene(TEXT, {(1, 3): 9.0}, k=0, model="toy").effects.empty


# What cannot be.


@pytest.mark.parametrize(
    ("call", "kind", "reason"),
    [
        (lambda lab: lab.mlp([1], 3, model="toy"), superpose.InvalidArgument, "LAYER_OUT_OF_RANGE"),
        (lambda lab: lab.mlp([1], 1, which="mid", model="toy"), superpose.InvalidArgument, "CONFIG_INVALID"),
        (lambda lab: lab.mlp([1], 1, midcoder="x", model="toy"), superpose.NotFound, "MIDCODER_NOT_FOUND"),
        (
            lambda lab: lab.mlp([1], 1, which="out_transcoder", transcoder="layer2", model="toy"),
            superpose.InvalidArgument,
            "CONFIG_INVALID",
        ),
        (
            lambda lab: lab.mlp([1], 1, which="out_transcoder", model="bare"),
            superpose.FailedPrecondition,
            "SELECTOR_AMBIGUOUS",
        ),
        (lambda lab: lab.mlp([[1] * 60] * 5, 1, model="toy"), superpose.ResourceExhausted, "REQUEST_TOO_LARGE"),
        (lambda lab: lab.next_tokens("", model="toy"), superpose.InvalidArgument, "EMPTY_INPUT"),
        (lambda lab: lab.next_tokens([1]), superpose.FailedPrecondition, "SELECTOR_AMBIGUOUS"),
        (lambda lab: lab.next_tokens([257], model="toy"), superpose.InvalidArgument, "TOKEN_OUT_OF_RANGE"),
        (lambda lab: lab.next_tokens([1], k=1001, model="toy"), superpose.InvalidArgument, "CONFIG_INVALID"),
        (
            lambda lab: lab.intervene([1, 2], {(1, 128): 1}, model="toy"),
            superpose.InvalidArgument,
            "FEATURE_OUT_OF_RANGE",
        ),
        (lambda lab: lab.intervene([1, 2], {(1, 1): -1}, model="toy"), superpose.InvalidArgument, "CONFIG_INVALID"),
        (lambda lab: lab.intervene([1, 2], {(1, 1, 2): 1}, model="toy"), superpose.InvalidArgument, "CONFIG_INVALID"),
        (
            lambda lab: lab.intervene([1], {("a", 1): 1, ("b", 1): 1}, mode="replace", model="bare"),
            superpose.InvalidArgument,
            "CONFIG_INVALID",
        ),
    ],
)
def test_what_cannot_be_computed_says_why(lab, call, kind, reason):
    with pytest.raises(kind) as caught:
        call(lab)
    assert caught.value.reason == reason


def test_mistakes_that_need_no_server(lab):
    with pytest.raises(ValueError, match="which is 'mids'"):
        lab.mlp([1], 1, which="mids")
    with pytest.raises(ValueError, match="which is empty"):
        lab.mlp([1], 1, which=[])
    with pytest.raises(ValueError, match="mode is 'add'"):
        lab.intervene([1], {(1, 1): 1}, mode="add")
    with pytest.raises(ValueError, match="set is empty"):
        lab.intervene([1], {})
    with pytest.raises(TypeError, match="layer, feature"):
        lab.intervene([1], {1: 2.0})
    with pytest.raises(ValueError, match="names no positions"):
        lab.intervene([1], {(1, 1, ()): 2.0})
