"""Where an input turns the verdict, when a finer look finds no turn."""

import numpy as np

from sweep.compare import deciding
from sweep.compare.deciding import FACTORS, Move


def test_a_turn_that_a_finer_look_does_not_find_is_none(monkeypatch):
    """Held together, inputs cross; alone, what derives from the one moved moves along, and they do not."""
    looks = iter([np.linspace(1.0, -1.1, FACTORS.size)[None], np.ones((1, FACTORS.size))])
    monkeypatch.setattr(deciding, "_logs", lambda *_: next(looks))
    monkeypatch.setattr(deciding, "_now", lambda *_: 1.0)
    monkeypatch.setattr(deciding, "_within", lambda _row, _known, by: by)
    move = Move("chip_power", "second")
    assert deciding._turned((None, None), [move], [{}, {}]) == {move: None}
