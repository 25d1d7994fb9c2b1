"""What a notebook shows at the end of a cell."""

import inspect

import superpose
from superpose import _display
from superpose.self_test import SelfTest, SelfTestFigures


def test_everything_that_a_call_gives_has_a_form_for_notebooks():
    shown = [getattr(superpose, name) for name in superpose.__all__]
    shown = [kind for kind in shown if inspect.isclass(kind) and not issubclass(kind, Exception)]
    assert len(shown) > 10
    assert [kind.__name__ for kind in shown if not hasattr(kind, "_repr_html_")] == []


def test_a_lab_says_what_it_is_connected_to(lab):
    html = lab._repr_html_()
    assert lab._connection.address in html
    assert "tester" in html
    assert "toy" in html


def test_a_lab_without_a_server_says_so():
    with superpose.connect("127.0.0.1:1", user="ada") as lab:
        assert "no server answers at 127.0.0.1:1" in lab._repr_html_()


def test_a_server_is_shown_with_its_device_and_memory(lab):
    html = lab.info()._repr_html_()
    assert "cpu" in html
    assert "iB of " in html


def test_a_tensor_is_shown_without_being_read(lab):
    html = lab.transcoder("a", model="bare")["W_dec"]._repr_html_()
    assert "[10000, 32]" in html
    assert "1.2 MiB" in html


def test_a_self_test_is_a_table():
    figures = SelfTestFigures(tokens=300, l0=12.5, explained_variance=0.75, dead_fraction=0.1)
    test = SelfTest(figures, {"reads <x>": figures}, "another reading fits better", "built-in text")
    html = test._repr_html_()
    assert "another reading fits better" in html
    assert "reads &lt;x&gt;" in html
    assert "0.75" in figures._repr_html_()


def test_names_cannot_break_the_page():
    html = _display.html("Corpus", "<script>", {"<b>": "a & b"})
    assert "<script>" not in html
    assert "&lt;b&gt;" in html
    assert "a &amp; b" in html
