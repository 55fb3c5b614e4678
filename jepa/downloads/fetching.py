"""Downloading a file: with a checksum, going on where it was left, and in one piece or not at all."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jepa.errors import DataError
from jepa.progress import shown_progress
from jepa.text import printable, shortened

ATTEMPTS = 4  # how often a connection is tried
PAUSE = 1.0  # seconds before the second time; then twice that, ...
TIMEOUT = (10, 30)  # seconds until a server has to answer, and between two pieces of what it sends
PIECE = 1 << 20  # bytes
MOST = 8 << 30  # bytes of a file whose size is not known
AGAIN = {408, 425, 429, 500, 502, 503, 504}  # answers of a server that may be better the next time
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class Remote(NamedTuple):
    """A file on a server."""

    url: str
    checksum: str | None
    """`sha256:...` or `md5:...`; None: none is published"""
    size: int | None = None
    """bytes; None: not known"""

    @property
    def name(self) -> str:
        """What the file is called."""
        return urlsplit(self.url).path.rpartition("/")[2]


class _Again(Exception):
    """The transfer ended early; what is there is kept, and it is tried once more."""


def fetched(remote: Remote, folder: Path, mirror: str | None = None) -> Path:
    """Return a file in a folder, downloaded if need be, with the checksum that is known of it.

    What was left by a download that was cut short or interrupted is gone on with, if the server can and still has the
    same file. mirror: the address that the file's name is appended to, in place of its own; or a folder of this machine
    that has the file, which is then read there. Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY).

    Raises DataError in a sentence for a server that cannot be reached, refuses, breaks off each time, or sends more
    than is known; and for a file with another checksum, of which nothing is kept.
    """
    if mirror is not None and "://" not in mirror:
        return _local(remote, Path(mirror))
    pooch = installed()
    url = remote.url if mirror is None else f"{mirror.rstrip('/')}/{remote.name}"
    part = folder / f"{remote.name}.part"

    def download(address: str, out: Any, _: Any) -> None:
        _whole(address, part, remote.size)
        os.replace(part, out)

    try:
        found = pooch.retrieve(url, remote.checksum, fname=remote.name, path=folder, downloader=download)
    except ValueError as error:  # another checksum; pooch has deleted the file
        part.unlink(missing_ok=True)
        raise DataError(
            f"{url} has another checksum than {remote.checksum}, which is known of it: {shortened(str(error), 300)}; "
            "nothing is kept. If you trust the file, give its own with --sha256, or name another server with --mirror"
        ) from error
    finally:
        if not part.exists():
            _tag(part).unlink(missing_ok=True)
    return Path(found)


def installed() -> Any:
    """Return pooch; raise DataError with the command that installs it."""
    try:
        import pooch
        import requests  # noqa: F401  (pooch needs it)
    except ImportError as error:
        raise DataError("downloads need pooch: pip install 'minitensor-jepa[get]'") from error
    pooch.get_logger().setLevel("WARNING")
    return pooch


def digest(path: Path, kind: str = "sha256") -> str:
    """Return the checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _local(remote: Remote, folder: Path) -> Path:
    path = folder / remote.name
    if not path.is_file():
        raise DataError(
            f"--mirror {folder} has no file {remote.name}; it is an address (https://...) or a folder with it"
        )
    if remote.checksum is not None:
        kind, _, expected = remote.checksum.partition(":")
        if (own := digest(path, kind)) != expected:
            raise DataError(f"{path} has the {kind} {own}, but {expected} is known of it: download it again")
    return path


def _tag(part: Path) -> Path:
    """Return the file with the mark of what a part belongs to: the server's own for this state of its file."""
    return part.with_name(f"{part.name}.tag")


def _whole(url: str, part: Path, size: int | None) -> None:
    """Download a file into `part`, in as many attempts as it takes."""
    import requests
    import urllib3

    broken: tuple[type[Exception], ...] = (_Again, requests.ConnectionError, requests.Timeout)
    broken += (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return _continued(url, part, size, requests.get)
        except broken as error:
            last = error
        except (requests.RequestException, ValueError) as error:  # an address that is none
            raise DataError(f"cannot download {url}: {shortened(printable(str(error)), 300)}") from error
    kept = f"; {part.stat().st_size:,} bytes are kept, and the same command goes on" if part.exists() else ""
    raise DataError(f"cannot download {url}, tried {ATTEMPTS} times: {_why(last)}{kept}. {_ways()}") from last


def _continued(url: str, part: Path, size: int | None, ask: Callable[..., Any]) -> None:
    """Download what is missing of a file."""
    at, tag = (part.stat().st_size if part.exists() else 0), _read(_tag(part))
    headers = {"Accept-Encoding": "identity"}  # the bytes of the file, and not of a packed transfer
    if at and tag:
        headers |= {"Range": f"bytes={at}-", "If-Range": tag}
    with ask(url, stream=True, headers=headers, timeout=TIMEOUT) as answer:
        code = answer.status_code
        if code == 416 or code in AGAIN:  # 416: there is nothing behind what is here
            if code == 416:
                part.unlink(missing_ok=True)
            raise _Again(f"the server answered {code} {answer.reason}")
        if code >= 400:
            raise DataError(f"{url} was answered with {code} {printable(str(answer.reason))}: {_gone(code)}. {_ways()}")
        goes_on = code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {at}-")
        if code == 206 and not goes_on:  # a piece that was not asked for
            part.unlink(missing_ok=True)
            raise _Again("the server answered with another piece of the file than was asked for")
        at = at if goes_on else 0
        mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        _tag(part).write_text("" if mark.startswith("W/") else mark, "utf-8")
        length = answer.headers.get("Content-Length", "")
        total = at + int(length) if length.isdecimal() else None
        _store(answer, part, "ab" if goes_on else "wb", (at, total, size or MOST))


def _store(answer: Any, part: Path, mode: str, sizes: tuple[int, int | None, int]) -> None:
    """Write what a server sends. sizes: bytes that are there, bytes in all if they are told, bytes at most."""
    done, total, most = sizes
    if (total or 0) > most:
        part.unlink(missing_ok=True)
        raise DataError(
            f"{answer.url} has {total:,} bytes, more than the {most:,} that are known of it: nothing is kept"
        )
    pieces = answer.raw.stream(PIECE, decode_content=False)
    count = -(-((total or most) - done) // PIECE)
    with open(part, mode) as file:
        for piece in shown_progress(pieces, count, f"downloading {part.stem}", "MB"):
            done += len(piece)
            if done > most:
                file.close()
                part.unlink()
                raise DataError(
                    f"{answer.url} sends more than the {most:,} bytes that are known of it: nothing is kept"
                )
            file.write(piece)
    if total is not None and done < total:
        raise _Again(f"the connection ended after {done:,} of {total:,} bytes")


def _read(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""


def _gone(code: int) -> str:
    return {401: "it wants a password", 403: "it may not be read", 404: "it is not there", 410: "it is gone"}.get(
        code, "the server does not give it"
    )


def _why(error: Exception) -> str:
    """Say what went wrong with a connection, without what libraries wrap around it."""
    text = printable(str(error))
    kinds = {
        "refused": "the connection was refused",
        "Connection aborted": "the server closed the connection",
        "timed out": "the server took too long",
        "Name or service": "the name of the server is not known",
        "resolve": "the name of the server is not known",
        "unreachable": "the network is unreachable",
        "CERTIFICATE": "the certificate of the server is not trusted",
        "proxy": "the proxy does not answer",
    }
    known = next((words for part, words in kinds.items() if part.lower() in text.lower()), None)
    return known or shortened(text, 200)


def _ways() -> str:
    """Say what may help: a proxy, without the password in its address, or another server."""
    proxy = next((name for name in PROXIES if os.environ.get(name)), None)
    way = f"the proxy of {proxy} is {urlsplit(os.environ[proxy]).hostname}" if proxy else "HTTPS_PROXY sets a proxy"
    return f"{way}; --mirror URL or FOLDER takes the file from elsewhere"
