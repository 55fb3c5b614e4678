"""Downloads from a server on this machine: cut short, resumed, stalled, refused, changed, too large."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest

from jepa.downloads import fetching
from jepa.downloads.fetching import Remote, fetched
from jepa.errors import DataError
from tests.jepa.downloads.server import serving

pytest.importorskip("pooch")
CONTENT = np.random.default_rng(0).bytes(300_000)
RIGHT = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts, and no proxy between this process and itself."""
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    monkeypatch.setattr(fetching, "TIMEOUT", (2, 0.4))
    monkeypatch.setattr(fetching, "PIECE", 1 << 14)
    for name in fetching.PROXIES:
        monkeypatch.delenv(name, raising=False)


def remote(url: str, checksum: str | None = RIGHT, size: int | None = len(CONTENT)) -> Remote:
    return Remote(f"{url}/some/where/x.bin?a=1", checksum, size)


@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        ([], [None]),
        (["slow"], [None]),
        (["no length"], [None]),
        (["cut"], [None, "bytes=150000-"]),
        (["cut", "cut", "cut"], [None, "bytes=150000-", "bytes=225000-", "bytes=262500-"]),
        (["503", "500"], [None, None, None]),
        (["elsewhere"], [None, None]),
        (["cut", "elsewhere"], [None, "bytes=150000-", None]),
        (["stall"], None),
    ],
)
def test_a_file_arrives_whole(faults: list[str], ranges: list[str | None] | None, tmp_path: Path) -> None:
    with serving({"x.bin": CONTENT}, faults) as server:
        path = fetched(remote(server.url), tmp_path)
        assert path.read_bytes() == CONTENT and [p.name for p in tmp_path.iterdir()] == ["x.bin"]
        assert ranges is None or [r for _, r in server.asked] == ranges
        if faults == ["stall"]:  # what came before it was kept
            assert server.asked[1][1] is not None
        count = len(server.asked)
        assert fetched(remote(server.url), tmp_path) == path and len(server.asked) == count  # it is there


def test_the_next_command_goes_on(tmp_path: Path) -> None:
    with serving({"x.bin": CONTENT}, ["cut"] * 4) as server:
        with pytest.raises(DataError, match="tried 4 times: .*; 281,250 bytes are kept, and the same command goes on"):
            fetched(remote(server.url), tmp_path)
        assert fetched(remote(server.url), tmp_path).read_bytes() == CONTENT
        assert server.asked[-1][1] == "bytes=281250-"


@pytest.mark.parametrize(("tag", "whole"), [("", False), ('W/"a"', False), ('"a"', True)])
def test_what_cannot_be_gone_on_with_begins_again(tag: str, whole: bool, tmp_path: Path) -> None:
    with serving({"x.bin": CONTENT}, ["cut"], tag=tag, whole=whole) as server:
        assert fetched(remote(server.url), tmp_path).read_bytes() == CONTENT
        assert server.asked[1][1] == ("bytes=150000-" if whole else None)


def test_a_file_that_changed_on_the_server_is_not_joined(tmp_path: Path) -> None:
    with serving({"x.bin": CONTENT[::-1]}, ["cut"] * 4) as server, pytest.raises(DataError, match="tried 4 times"):
        fetched(remote(server.url), tmp_path)
    with serving({"x.bin": CONTENT}, tag='"b"') as server:
        assert fetched(remote(server.url), tmp_path).read_bytes() == CONTENT
        assert server.asked == [("/some/where/x.bin?a=1", "bytes=281250-")]


def test_a_part_that_is_as_long_as_the_file_begins_again(tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(CONTENT[::-1])
    (tmp_path / "x.bin.part.tag").write_text('"a"')
    with serving({"x.bin": CONTENT}) as server:
        assert fetched(remote(server.url), tmp_path).read_bytes() == CONTENT and len(server.asked) == 2


@pytest.mark.parametrize(
    ("file", "faults", "size", "text"),
    [
        (CONTENT, ["404"], None, "was answered with 404 Not Found: it is not there.*--mirror URL or FOLDER"),
        (CONTENT, ["403"], None, "403 .*it may not be read"),
        (CONTENT, ["503"] * 4, None, "tried 4 times: the server answered 503"),
        (CONTENT[:-1] + b"x", [], None, "has another checksum than sha256:.*nothing is kept"),
        (b"", [], None, "has another checksum"),
        (b"<!DOCTYPE html>login", [], None, "has another checksum"),
        (CONTENT * 2, [], 300_000, "has 600,000 bytes, more than the 300,000 that are known of it"),
        (CONTENT * 2, ["no length"], 300_000, "sends more than the 300,000 bytes that are known of it"),
    ],
)
def test_what_is_refused_leaves_nothing(
    file: bytes, faults: list[str], size: int | None, text: str, tmp_path: Path
) -> None:
    with serving({"x.bin": file}, faults) as server, pytest.raises(DataError, match=text):
        fetched(remote(server.url, size=size), tmp_path)
    assert not [p for p in tmp_path.iterdir() if not p.name.endswith(".tag")]


def test_a_file_that_has_grown_too_large_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:1000])
    (tmp_path / "x.bin.part.tag").write_text('"old"')
    with serving({"x.bin": CONTENT * 2}) as server, pytest.raises(DataError, match="nothing is kept"):
        fetched(remote(server.url), tmp_path)
    assert not [*tmp_path.iterdir()]


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(
        DataError, match="tried 4 times: the connection was refused. HTTPS_PROXY sets a proxy; --mirror"
    ):
        fetched(remote(url), tmp_path)
    monkeypatch.setenv("http_proxy", url.replace("//", "//user:secret@"))
    with pytest.raises(DataError, match="the proxy of http_proxy is 127.0.0.1") as caught:
        fetched(remote("http://example.invalid"), tmp_path)
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="cannot download nothing://x/x.bin"):
        fetched(remote("http://example.invalid"), tmp_path, mirror="nothing://x")


def test_mirrors(tmp_path: Path) -> None:
    with serving({"x.bin": CONTENT}) as server:
        found = fetched(remote("http://example.invalid"), tmp_path / "a", mirror=f"{server.url}/mirror/")
        assert found.read_bytes() == CONTENT and server.asked == [("/mirror/x.bin", None)]
    assert fetched(remote("http://example.invalid"), tmp_path / "b", mirror=str(tmp_path / "a")) == found
    found.write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"x\.bin has the sha256 .*, but .* is known of it: download it again"):
        fetched(remote("http://example.invalid"), tmp_path / "b", mirror=str(tmp_path / "a"))
    with pytest.raises(DataError, match=r"--mirror .*c has no file x\.bin; it is an address"):
        fetched(remote("http://example.invalid"), tmp_path / "b", mirror=str(tmp_path / "c"))


def test_an_interrupt_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetching.shown_progress

    def interrupted(things, *words):  # type: ignore[no-untyped-def]
        for k, thing in enumerate(real(things, *words)):
            if k == 5:
                raise KeyboardInterrupt
            yield thing

    with serving({"x.bin": CONTENT}) as server:
        monkeypatch.setattr(fetching, "shown_progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetched(remote(server.url), tmp_path)
        monkeypatch.setattr(fetching, "shown_progress", real)
        assert fetched(remote(server.url), tmp_path).read_bytes() == CONTENT
        assert server.asked[1][1] == f"bytes={5 << 14}-"
