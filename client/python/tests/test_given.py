"""What a researcher gives by mistake: errors say which argument is wrong, and what it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import superpose
from superpose import _given
from superpose._directions import direction_source, factorization_name
from superpose._factorization_frames import factorizations_frame
from superpose._factorizing import factorization_spec
from superpose._naming import selectors, transcoder_selector
from superpose.v1 import factorization_pb2


@pytest.mark.parametrize("number", [7, np.int64(7), np.uint8(7), np.array(7)])
def test_whole_numbers_may_be_numpys(number: Any) -> None:
    assert _given.whole(number, "k") == 7


@pytest.mark.parametrize("wrong", [7.0, "7", np.float64(7), np.array([7]), np.array([7, 8]), [7], superpose.live()])
def test_what_is_no_whole_number_is_told_by_its_argument(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^k is .*it must be an integer"):
        _given.whole(wrong, "k")


def test_a_number_that_cannot_be_sent_is_told_by_its_argument() -> None:
    assert _given.whole(2**31 - 1, "factors") == 2**31 - 1
    with pytest.raises(ValueError, match="factors is 1000000000000: it must be 2147483647 at most"):
        factorization_spec(layer=2, factors=10**12)
    assert factorization_spec(layer=2, seed=2**64 - 1).seed == 2**64 - 1
    for seed, match in ((-1, "0 or more"), (2**64, "at most")):
        with pytest.raises(ValueError, match=f"seed is {seed}: it must be .*{match}"):
            factorization_spec(layer=2, seed=seed)


@pytest.mark.parametrize("wrong", ["0.3", b"1", [0.3], np.array([1.0, 2.0]), None])
def test_what_is_no_number_is_told_by_its_argument(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^theta is .*it must be a number"):
        _given.real(wrong, "theta")


@pytest.mark.parametrize("number", [0.5, 1, np.float32(0.5), np.int64(3)])
def test_numbers_may_be_numpys(number: Any) -> None:
    assert _given.real(number, "theta") == float(number)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"factors": 128.0}, "factors is 128.0"),
        ({"factors": np.array([64, 128])}, "factors is of the type ndarray"),
        ({"epochs": "5"}, "epochs is '5'"),
        ({"top": np.array([10])}, "top is of the type ndarray"),
        ({"theta": "0.3"}, "theta is '0.3'"),
        ({"lr": [1e-3, 1e-2]}, "lr is of the type list"),
        ({"held_out": "10%"}, "held_out is '10%'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"layer": [2, 3]}, "layer is of the type list"),
        ({"layer": 2.0}, "layer is 2.0"),
        ({"labels": "run=first"}, "labels is 'run=first'"),
        ({"labels": {"run": 1}}, "labels has 'run': 1"),
        ({"start": 17}, "not a int"),
    ],
)
def test_a_factorization_says_which_argument_is_wrong(settings: dict, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        factorization_spec(**{"layer": 2} | settings)


@pytest.mark.parametrize("top", [0, -1])
def test_no_decoders_are_not_all_decoders(top: int) -> None:
    with pytest.raises(ValueError, match=f"top is {top}: it must be 1 or more"):
        factorization_spec(layer=2, top=top)


@pytest.mark.parametrize("of", [2, "models/demo/transcoders/layer2", superpose.live(), ["f1"]])
def test_directions_of_what_has_none_say_how_decoders_are_asked_for(of: Any) -> None:
    with pytest.raises(TypeError, match=r"layer=(2|\.\.), transcoder="):
        direction_source(of)


@pytest.mark.parametrize("wrong", [17, superpose.live(), ["f1"]])
def test_a_factorization_goes_by_its_name(wrong: Any) -> None:
    assert factorization_name("f1") == factorization_name("factorizations/f1") == "factorizations/f1"
    with pytest.raises(TypeError, match="its name"):
        factorization_name(wrong)


def test_a_layer_that_is_none_is_told_by_its_argument() -> None:
    assert transcoder_selector(np.int64(2), None) == "models/-/layers/2"
    for wrong in (2.0, superpose.live()):
        with pytest.raises(TypeError, match="layer is"):
            transcoder_selector(wrong, None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="layer is"):
            selectors(wrong, None, None)  # type: ignore[arg-type]


def bare_factors() -> factorization_pb2.Factorization:
    """As one comes of the reference's file."""
    return factorization_pb2.Factorization(
        name="factorizations/f2", factors=3, width=4, imported_from="reference .pt", labels={"a": "b"}
    )


def test_bare_factors_answer_nothing_about_decoders() -> None:
    fac = superpose.Factorization(None, bare_factors())  # type: ignore[arg-type]
    for ask in (lambda: fac.explain(0), lambda: fac.decoders(0), lambda: fac.sharing(0)):
        with pytest.raises(ValueError, match=r"imported.*epochs=0"):
            ask()


def test_bare_factors_are_of_no_layer() -> None:
    fac = superpose.Factorization(None, bare_factors())  # type: ignore[arg-type]
    assert fac.layer is None
    assert "layer" not in repr(fac)
    frame = factorizations_frame([bare_factors()])
    assert frame["layer"].isna().tolist() == [True]


def test_a_file_of_ours_shows_what_it_brought_along() -> None:
    proto = bare_factors()
    proto.imported_from = "safetensors"
    proto.provenance.transcoder = "models/m/transcoders/t"
    proto.layer = 2
    proto.quality.fitted.mean_error = 0.25
    shown = repr(superpose.Factorization(None, proto))  # type: ignore[arg-type]
    for words in ("layer 2", "imported from safetensors", "error 0.25"):
        assert words in shown
