"""What may be handed over as input, and how it is sent."""

import numpy as np
import pandas as pd
import pytest
from superpose.activations import Input, make_query, read_features, read_input


def sequences(value):
    return [sequence.tolist() for sequence in read_input(value).tokens]


def query(value, **changes):
    options = {"top_k": None, "features": None, "prepend_bos": True, "parse_special": True}
    return make_query(["models/-/layers/2"], read_input(value), **(options | changes))


def test_a_string_is_one_text():
    assert read_input("The cat sat").texts == ["The cat sat"]


@pytest.mark.parametrize("several", [["a", "b"], ("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"])], ids=repr)
def test_strings_are_texts(several):
    assert read_input(several).texts == ["a", "b"]


@pytest.mark.parametrize(
    "one", [[5, 6, 7], (5, 6, 7), np.array([5, 6, 7], dtype=np.uint16), pd.Series([5, 6, 7]), range(5, 8)], ids=repr
)
def test_whole_numbers_are_one_sequence(one):
    assert sequences(one) == [[5, 6, 7]]


@pytest.mark.parametrize("rows", [np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], [np.array([1, 2]), (3, 4)]], ids=repr)
def test_each_row_is_a_sequence(rows):
    assert sequences(rows) == [[1, 2], [3, 4]]


def test_sequences_may_have_any_lengths():
    assert sequences([[1, 2, 3], [4], np.array([5, 6])]) == [[1, 2, 3], [4], [5, 6]]


@pytest.mark.parametrize("wrong", [[1.5, 2.0], np.zeros((2, 2)), ["a", 1], [[1, 2], "b"], b"bytes", [[1.5]]], ids=repr)
def test_what_is_neither_text_nor_whole_numbers_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        read_input(wrong)


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 2), dtype=int), [[[1]]], 5], ids=repr)
def test_more_or_fewer_dimensions_are_a_value_error(wrong):
    with pytest.raises((ValueError, TypeError)):
        read_input(wrong)


@pytest.mark.parametrize("wrong", [[-1], [2**31], np.array([2**40])], ids=repr)
def test_what_no_vocabulary_can_hold_is_a_value_error(wrong):
    with pytest.raises(ValueError, match="no token id"):
        read_input(wrong)


def test_texts_are_sent_with_how_to_tokenize_them():
    sent = query("The cat", prepend_bos=False)
    assert list(sent.texts.texts) == ["The cat"]
    assert (sent.texts.prepend_bos, sent.texts.parse_special) == (False, True)


def test_sequences_are_sent_one_after_the_other():
    sent = query([[1, 2, 3], [4]])
    assert list(sent.tokens.token_ids) == [1, 2, 3, 4]
    assert list(sent.tokens.lengths) == [3, 1]


def test_no_sequences_are_still_an_input():
    assert query(np.zeros((0, 4), dtype=int)).WhichOneof("input") == "tokens"


def test_filters_are_sent():
    sent = query([1], top_k=5, features=[9, 3, 9])
    assert sent.top_k == 5
    assert list(sent.feature_ids) == [3, 9]


@pytest.mark.parametrize("top_k", [0, -1])
def test_top_k_must_keep_something(top_k):
    with pytest.raises(ValueError, match="top_k"):
        query([1], top_k=top_k)


def test_features_may_be_a_mask():
    assert read_features(np.array([False, True, True])) == [1, 2]
    assert read_features(pd.Series([True, False])) == [0]
    assert read_features(7) == [7]


@pytest.mark.parametrize("empty", [[], np.zeros(4, dtype=bool)], ids=repr)
def test_no_features_are_not_all_features(empty):
    with pytest.raises(ValueError, match="features is empty"):
        read_features(empty)


def test_a_text_cannot_have_more_tokens_than_bytes_and_a_bos():
    assert read_input(["abc", "é"]).most_tokens == 4 + 3
    assert read_input([[1, 2], [3]]).most_tokens == 3


def test_sequences_are_split_by_the_size_of_a_message():
    given = Input(tokens=[np.arange(10, dtype=np.int32)] * 5)
    sizes = []
    start = 0
    while start < len(given):
        batch = given.batch_from(start, most_bytes=130)
        sizes.append(len(batch))
        start += len(batch)
    assert sizes == [2, 2, 1]
    assert len(given.batch_from(0, most_bytes=1)) == 1
