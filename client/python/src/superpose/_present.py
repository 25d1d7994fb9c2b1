"""Answers as a researcher gets them."""

from __future__ import annotations

from typing import Any

from superpose import answers, direction_answers
from superpose._answer import Answer
from superpose._group import Ranks

_PRESENTERS = {**answers.PRESENTERS, **direction_answers.PRESENTERS}


def present(answer: Answer, ranks: Ranks) -> Any:
    """The answer as a frame or a group. `ranks` gives a frame by feature id: log10_freq, rank, count."""
    return _PRESENTERS[answer.kind](answer, ranks)
