import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.dataset.arrays import coded_array, number_array, text_array


@given(st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)), max_size=70))
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_numbers_are_what_arrow_itself_makes_of_them(dtype, values):
    null = np.array([value is None for value in values], dtype=np.bool_)
    numbers = np.array([0 if value is None else value for value in values], dtype=dtype)
    found = number_array(numbers, null)
    found.validate(full=True)
    assert found.equals(pa.array(numbers, mask=null))


def test_a_view_with_gaps_is_stored_without_them():
    assert number_array(np.arange(10.0)[::3]).to_pylist() == [0.0, 3.0, 6.0, 9.0]


@given(st.lists(st.text(), max_size=20))
def test_texts_of_any_alphabet(texts):
    found = text_array(texts)
    found.validate(full=True)
    assert found.equals(pa.array(texts, type=pa.string()))


def test_a_negative_code_is_no_word():
    found = coded_array(np.array([1, -1, 0, 1], dtype=np.int32), ["full", "none"])
    found.validate(full=True)
    assert found.to_pylist() == ["none", None, "full", "none"]


def test_no_pandas_is_loaded():
    code = (
        "import sys, numpy as np; from sweep.dataset.arrays import *;"
        "coded_array(np.array([0, -1], dtype=np.int32), ['a']); number_array(np.array([1.0]), np.array([True]));"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
