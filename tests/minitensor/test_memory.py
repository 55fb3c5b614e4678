import minitensor as mt


def test_it_may_be_asked_again_and_arrays_are_as_before() -> None:
    first = mt.keep_freed_memory()
    assert mt.keep_freed_memory() is first  # True where there is glibc, False elsewhere, and no error
    assert float(mt.ones((1000, 1000)).sum()) == 1e6


def test_without_such_a_library_nothing_is_done(monkeypatch) -> None:
    def missing(name: object) -> object:
        raise OSError("no library")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert mt.keep_freed_memory() is False
