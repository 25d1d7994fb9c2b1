"""Rows that are the token positions of sequences, one sequence after the other."""

from __future__ import annotations

import numpy as np


def sequence_of_rows(lengths: np.ndarray) -> np.ndarray:
    """int64 [rows], the sequence that a row belongs to."""
    return np.repeat(np.arange(len(lengths)), lengths)


def position_of_rows(lengths: np.ndarray) -> np.ndarray:
    """int64 [rows], the position of a row in its sequence."""
    starts = np.cumsum(lengths) - lengths
    positions: np.ndarray = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    return positions


def bos_rows(tokens: np.ndarray, lengths: np.ndarray, bos_token_id: int) -> np.ndarray:
    """bool [rows], whether a row is the BOS that begins its sequence."""
    is_bos = np.zeros(len(tokens), dtype=bool)
    firsts = (np.cumsum(lengths) - lengths)[lengths > 0]
    is_bos[firsts] = tokens[firsts] == bos_token_id
    return is_bos
