"""Words for enums and settings."""

import pytest
from superpose import _words
from superpose.v1 import corpus_pb2, job_pb2, midcoder_pb2, statistics_pb2


@pytest.mark.parametrize(
    ("enum", "word", "value"),
    [
        (midcoder_pb2.MidForm, "d_mlp", midcoder_pb2.MID_FORM_D_MLP),
        (midcoder_pb2.MidForm, "d_model", midcoder_pb2.MID_FORM_D_MODEL),
        (midcoder_pb2.MidGate, "model", midcoder_pb2.MID_GATE_MODEL),
        (midcoder_pb2.SequenceOrder, "sequential", midcoder_pb2.SEQUENCE_ORDER_SEQUENTIAL),
        (corpus_pb2.CorpusSplit, "heldout", corpus_pb2.CORPUS_SPLIT_HELDOUT),
        (job_pb2.JobState, "running", job_pb2.JOB_STATE_RUNNING),
    ],
)
def test_words_and_values_belong_together(enum, word, value):
    assert _words.to_enum(enum, word, "argument") == value
    assert _words.from_enum(enum, value) == word


def test_settings_are_plain_whatever_is_in_them():
    spec = statistics_pb2.StatisticsSpec(
        transcoders=["t"],
        gate=statistics_pb2.GATE_SOURCE_MODEL,
        labels={"a": "b"},
        options={
            "groups": [statistics_pb2.STATISTICS_GROUP_PAIRS, 99],
            "include_bos": False,
            "features": {"ids": {"values": [3]}},
        },
    )
    assert _words.settings(spec) == {
        "transcoders": ["t"],
        "gate": "model",
        "labels": {"a": "b"},
        "options": {"groups": ["pairs", "99"], "include_bos": False, "features": {"ids": {"values": [3]}}},
    }


def test_nothing_said_is_left_to_the_server():
    assert _words.to_enum(midcoder_pb2.MidForm, None, "mid_dim") == 0


def test_other_words_are_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"mid_dim is 'd_mip': it must be one of 'd_mlp', 'd_model'"):
        _words.to_enum(midcoder_pb2.MidForm, "d_mip", "mid_dim")
    with pytest.raises(ValueError, match="unspecified"):
        _words.to_enum(midcoder_pb2.MidForm, "unspecified", "mid_dim")


def test_a_value_from_a_newer_server_is_shown_as_it_is():
    assert _words.from_enum(job_pb2.JobState, 77) == "77"


def test_settings_have_the_names_and_words_of_the_arguments():
    spec = midcoder_pb2.MidcoderTrainingSpec(
        transcoders=["models/m/transcoders/layer2"], mid_form=midcoder_pb2.MID_FORM_D_MODEL, steps=10, seed=0, lr=1e-3
    )
    assert _words.settings(spec) == {
        "transcoders": ["models/m/transcoders/layer2"],
        "mid_dim": "d_model",
        "steps": 10,
        "seed": 0,
        "lr": 1e-3,
    }
