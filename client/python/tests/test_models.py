"""What the server is and holds, and its tokenizers."""

import dataclasses
import datetime

import numpy as np
import pandas as pd
import pytest
import superpose
from superpose import NotFound


def test_the_server_says_what_it_is(lab):
    info = lab.info()
    assert info.max_unary_tokens == 256
    assert info.device == "cpu"
    assert info.max_message_bytes > 2**20
    assert "activations" in info.capabilities
    assert info.start_time < datetime.datetime.now(datetime.UTC)


def test_models_have_a_row_for_each_transcoder(lab):
    frame = lab.models()
    toys = frame[frame["model"] == "toy"]
    assert toys["layer"].tolist() == [0, 1, 2]
    assert toys["transcoder"].tolist() == ["layer0", "layer1", "layer2"]
    assert (toys["d_sae"] == 128).all()
    assert (toys["d_mlp"] == 128).all()
    assert toys["tokenizer"].all()
    assert toys["live_features"].isna().tolist() == [True, True, False]
    assert frame.loc[frame["model"] == "bare", "transcoder"].tolist() == ["a", "b"]


def test_live_features_are_those_above_the_threshold(lab):
    transcoder = lab.transcoder(2, model="toy")
    assert transcoder.live_features == (transcoder["log_sparsity"][:] > -4).sum()


def test_a_model_says_its_sizes(lab):
    model = lab.model("toy")
    assert (model.d_model, model.d_mlp, model.n_layers, model.n_heads) == (32, 128, 3, 4)
    assert (model.context_length, model.vocab_size, model.bos_token_id, model.has_tokenizer) == (64, 257, 256, True)
    assert [transcoder.layer for transcoder in model.transcoders] == [0, 1, 2]
    assert lab.model("models/toy").content_hash == model.content_hash
    assert lab.model("bare").content_hash != model.content_hash


def test_transcoders_are_found_by_layer_and_by_name(lab):
    name = "models/toy/transcoders/layer1"
    assert lab.transcoder(1, model="toy").name == name
    assert lab.transcoder("layer1", model="toy").name == name
    assert lab.transcoder(name).name == name
    assert lab.transcoder("b", model="bare").layer == 1


@pytest.mark.parametrize(
    ("which", "model", "kind", "reason"),
    [
        (1, "bare", superpose.FailedPrecondition, "SELECTOR_AMBIGUOUS"),
        (0, "bare", NotFound, "TRANSCODER_NOT_FOUND"),
        (3, "toy", superpose.InvalidArgument, "LAYER_OUT_OF_RANGE"),
        (-1, "toy", superpose.InvalidArgument, "LAYER_OUT_OF_RANGE"),
        ("c", "bare", NotFound, "TRANSCODER_NOT_FOUND"),
        (0, "other", NotFound, "MODEL_NOT_FOUND"),
        (0, None, superpose.FailedPrecondition, "SELECTOR_AMBIGUOUS"),
    ],
)
def test_a_transcoder_that_is_not_one_says_why(lab, which, model, kind, reason):
    with pytest.raises(kind) as caught:
        lab.transcoder(which, model=model)
    assert caught.value.reason == reason


def test_corpora_have_a_row_each(lab):
    frame = lab.corpora().set_index("corpus")
    assert frame.loc["text", "documents"] == 300
    assert frame.loc["text", "heldout"]
    assert frame.loc["rows", "row_length"] == 16
    assert frame.loc["rows", "tokens"] == 40 * 16
    assert frame.loc["rows", "documents"] is pd.NA


def test_tokens_go_there_and_back(lab):
    text = "The cat <|endoftext|> naïve"
    ids = lab.tokenize(text, model="toy")
    assert ids.dtype == np.int32
    assert ids[0] == 256
    assert len(ids) == 1 + len(b"The cat ") + 1 + len(" naïve".encode())
    assert lab.detokenize(ids, model="toy") == "<|endoftext|>" + text
    assert lab.token_texts(ids, model="toy")[:4] == ["<|endoftext|>", "T", "h", "e"]


def test_several_texts_are_several_sequences(lab):
    ids = lab.tokenize(["ab", "c"], model="toy", prepend_bos=False)
    assert [len(one) for one in ids] == [2, 1]
    assert lab.detokenize(ids, model="toy") == ["ab", "c"]
    assert lab.detokenize(np.array([ids[0], ids[0]]), model="toy") == ["ab", "ab"]


def test_special_tokens_are_plain_text_when_asked(lab):
    plain = lab.tokenize("<|endoftext|>", model="toy", parse_special=False)
    assert len(plain) == 1 + len("<|endoftext|>")
    assert lab.tokenize("<|endoftext|>", model="toy").tolist() == [256]


def test_a_model_without_a_tokenizer_says_so(lab):
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.tokenize("text", model="bare")
    assert caught.value.reason == "TOKENIZER_MISSING"


def test_text_is_no_tokens(lab):
    with pytest.raises(TypeError):
        lab.detokenize("text", model="toy")


def test_things_show_what_they_are(lab):
    assert "d_mlp 128" in repr(lab.model("toy"))
    assert "toy/transcoders/layer1" in lab.transcoder(1, model="toy")._repr_html_()


def test_a_transcoder_says_how_well_it_stands_for_its_mlp(lab):
    transcoder = lab.transcoder(1, model="toy")
    test = transcoder.self_test
    assert test.tokens == "built-in text"
    assert 200 < test.figures.tokens < 1000
    assert 0 < test.figures.l0 < transcoder.d_sae
    assert 0 <= test.figures.dead_fraction < 1
    assert test.warning == ""
    assert "input normalized_after_gain" in test.alternates
    frame = test.to_frame()
    assert frame.index[0] == "as loaded"
    assert frame.loc["as loaded", "l0"] == test.figures.l0
    assert len(frame) == 1 + len(test.alternates)
    assert "explained variance" in repr(transcoder)


def test_a_transcoder_says_how_its_file_was_read(lab):
    transcoder = lab.transcoder(1, model="toy")
    assert transcoder.format == "dunefsky"
    assert transcoder.declared_convention == {
        "input": "normalized_before_gain",
        "input_known_from": "format",
        "subtracts_input_bias": True,
        "has_skip": False,
        "activation": "relu",
        "centred_target": True,
        "folded": [],
    }


def test_results_carry_the_self_test(lab):
    transcoder = lab.transcoder(1, model="toy")
    provenance = lab.activations("the cat", layer=1, model="toy").provenance
    assert provenance["self_test"] == dataclasses.asdict(transcoder.self_test.figures)
