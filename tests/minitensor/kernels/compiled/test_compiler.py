"""How loops are compiled: when, for what, where it is kept; and what several threads and processes do at once."""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import minitensor
from minitensor.kernels.compiled import compiler
from minitensor.kernels.compiled.compiler import Loop, compilations, compiled, inlined, real
from minitensor.kernels.compiled.elementary import exp

PACKAGE = Path(minitensor.__file__).parent
GELU = "import numpy as np, minitensor as mt; mt.nn.functional.gelu(mt.Tensor(np.ones(3, np.float32)))"
REPORT = GELU + "; print(*[f'{c.name} {c.dtype} {c.cached}' for c in mt.kernels.compiled.compilations()])"
TENTH = 0.1


@inlined
def tenth(x):
    return 0.1 * x + TENTH


@compiled
def scale(x, y, factor):
    for i in range(x.size):
        y[i] = factor * tenth(x[i]) / real(x.size)


@compiled(sums=True)
def total(x, y):
    s = 0.0
    for i in range(x.size):
        s += exp(x[i])
    y[0] = s


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fresh(loop: Loop) -> Loop:
    return Loop(loop.function, loop.sums)


def python(code: str, where: Path = PACKAGE.parent, **environment: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(where), "MINITENSOR_KERNELS": "compiled", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, cwd=where)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_numba_is_imported_when_it_is_needed():
    see = "import sys; {}; print('numba' in sys.modules or 'llvmlite' in sys.modules)"
    assert python(see.format("import minitensor, jepa")) == "False"
    assert python(see.format(GELU)) == "True"
    assert python(see.format(GELU), MINITENSOR_KERNELS="numpy") == "False"


@pytest.mark.parametrize(("dtype", "other"), [(np.float32, "double"), (np.float64, "float")])
def test_numbers_have_the_dtype_of_the_arrays(dtype, other):
    x = np.random.default_rng(0).standard_normal(100).astype(dtype)
    y, loop = np.empty_like(x), fresh(scale)
    loop(x, y, 0.3)
    np.testing.assert_allclose(y, 0.3 * (0.1 * x + 0.1) / 100, rtol=1e-5)
    made = loop.made[x.dtype.char]
    assert not re.search(rf"= f(add|sub|mul|div) .*\b{other}\b", made.inspect_llvm(made.signatures[0]))


def test_each_dtype_is_compiled_once_and_counted(folder):
    loop = fresh(scale)
    before = len(compilations())
    for dtype in (np.float32, np.float64, np.float32):
        x = np.ones(3, dtype)
        loop(x, np.empty_like(x), 1.0)
    new = compilations()[before:]
    assert [(c.name, c.dtype, c.cached) for c in new] == [
        ("test_compiler.scale", "float32", False), ("test_compiler.scale", "float64", False),
    ]  # fmt: skip
    assert all(c.seconds > 0 for c in new) and [*folder.rglob("*.nbi")]
    fresh(scale)(np.ones(3), np.empty(3), 1.0)
    assert compilations()[-1].cached


def test_another_signature_is_refused():
    loop = fresh(scale)
    loop(np.ones(3), np.empty(3), 1.0)
    for y in (np.empty((3, 1)), np.empty(6)[::2], np.empty(3, np.float32)):
        with pytest.raises(TypeError, match="No matching definition"):
            loop(np.ones(3), y, 1.0)
    fresh_one = fresh(scale)
    with pytest.raises(TypeError, match="No matching definition"):
        fresh_one(np.ones(6)[::2], np.empty(3), 1.0)


def test_an_inlined_function_is_for_loops():
    with pytest.raises(TypeError, match="tenth is a part of compiled loops"):
        tenth(1.0)


def test_what_a_loop_is_made_of_names_its_folder(folder, tmp_path, monkeypatch):
    before = compiler.cache(total, "f")
    assert before == compiler.cache(total, "f") != compiler.cache(scale, "f")
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: read(p) + b"#" * (p.name == "elementary.py"))
    assert compiler.cache(total, "f") != before  # it calls exp
    monkeypatch.setattr(Path, "read_bytes", lambda p: read(p) + b"#" * (p.name == "gelu.py"))
    assert compiler.cache(total, "f") == before


def test_a_second_process_finds_it():
    assert python(REPORT) == "elementwise.forward.exact float32 False"
    assert python(REPORT) == "elementwise.forward.exact float32 True"


def test_a_read_only_installation_keeps_it_for_the_user(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    shutil.copytree(PACKAGE, tmp_path / "minitensor", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "minitensor/kernels/compiled/__pycache__").touch()  # a folder cannot be made here, not even by root
    user = {"XDG_CACHE_HOME": str(tmp_path / "user"), "LOCALAPPDATA": str(tmp_path / "user"), "HOME": str(tmp_path)}
    assert python(REPORT, tmp_path, **user).endswith("False")
    assert python(REPORT, tmp_path, **user).endswith("True")
    (tmp_path / "nowhere").touch()
    nobody = dict.fromkeys(user, str(tmp_path / "nowhere"))
    assert python(REPORT, tmp_path, **nobody).endswith("False")  # nowhere to keep it, and still it runs


def test_two_processes_compile_at_once():
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "MINITENSOR_KERNELS": "compiled"}
    both = "; ".join([REPORT, REPORT.replace("float32", "float64")])
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for code in (both, both)
    ]
    for process in started:
        _, errors = process.communicate(timeout=200)
        assert not process.returncode, errors.decode()
    assert "False" not in python(both).splitlines()[1]


def test_threads_wait_for_one_compilation():
    loop, before = fresh(total), len(compilations())
    x, results = np.zeros(1000), np.zeros((4, 1))
    threads = [threading.Thread(target=loop, args=(x, results[k])) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (results == 1000).all() and len(compilations()) == before + 1


def child(loop, queue):
    y = np.empty(1)
    loop(np.zeros(10), y)
    queue.put(y[0])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_fork_while_a_thread_compiles():
    context, loop = multiprocessing.get_context("fork"), fresh(total)
    queue = context.SimpleQueue()
    thread = threading.Thread(target=loop, args=(np.zeros(10), np.empty(1)))
    thread.start()
    process = context.Process(target=child, args=(loop, queue))
    process.start()
    thread.join()
    process.join(60)
    assert process.exitcode == 0 and queue.get() == 10
