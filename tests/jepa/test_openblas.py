"""Which processors are told to OpenBLAS, and that it happens before NumPy is loaded."""

import os

import pytest

from jepa import openblas

ZEN5 = "processor : 0\nvendor_id : AuthenticAMD\nflags : fpu avx2 avx512f avx512cd avx512bw avx512dq avx512vl\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ZEN5, True),
        (ZEN5 + "\nprocessor : 1\nvendor_id : AuthenticAMD\nflags : fpu\n", True),  # the first one counts
        (ZEN5.replace("AuthenticAMD", "GenuineIntel"), False),
        (ZEN5.replace("avx512bw ", ""), False),
        ("", False),
        ("Hardware : something else\n", False),
    ],
)
def test_amd_with_avx512_is_told(monkeypatch, tmp_path, text, told):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(openblas, "CPUINFO", tmp_path / "cpuinfo")
    openblas.choose_kernels()
    assert not os.environ  # no such file
    (tmp_path / "cpuinfo").write_text(text)
    openblas.choose_kernels()
    assert os.environ == ({"OPENBLAS_CORETYPE": "SkylakeX"} if told else {})


def test_what_is_set_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "environ", {"OPENBLAS_CORETYPE": "Haswell"})
    monkeypatch.setattr(openblas, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(ZEN5)
    openblas.choose_kernels()
    assert os.environ == {"OPENBLAS_CORETYPE": "Haswell"}
