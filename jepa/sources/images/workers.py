"""Processes that make squares of files, for Python decodes small images in one thread at a time.

Each is a Python of its own, `python -m jepa.sources.images.workers`, that is asked through a pipe: no process is
forked, and no program has to be written for it. It ends when its pipe does, so that none is left over.

A question is a line of JSON, [how, files]; the answer a line of JSON with an entry for each file, the dtype of its
square or what is wrong with it, and then the squares, byte by byte.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from queue import Empty, LifoQueue
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.sources.images.decode import UnreadableImage
from jepa.sources.images.members import File, Member
from jepa.sources.images.square import How, square
from jepa.text import shown

CHUNK = 64  # files of a question at most
Result = NDArray[Any] | UnreadableImage


def made(file: File, how: How) -> Result:
    """Return the square of a file, or what is wrong with it."""
    try:
        return square(file, how.side, fit=how.fit, channels=how.channels)
    except UnreadableImage as error:
        return error


class Worker:
    """A process that is asked."""

    def __init__(self) -> None:
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for the process that asks
        )

    def made(self, files: Sequence[File], how: How) -> list[Result]:
        """Return what it makes of files; raise DataError if it has ended."""
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None and answers is not None, "both are pipes"
        try:
            asked.write(json.dumps([how, files]).encode() + b"\n")
            asked.flush()
            said = json.loads(answers.readline())
            return [self._result(entry, how, answers) for entry in said]
        except (OSError, ValueError) as error:
            self.close()
            code = self.process.wait()
            raise DataError(
                f"a process that decodes images has ended ({code}) while it read one of {len(files)} files from "
                f"{shown(str(files[0]))} on: if memory was short, lower source.workers; source.workers=0 decodes in "
                "this process"
            ) from error

    @staticmethod
    def _result(entry: Any, how: How, answers: IO[bytes]) -> Result:
        if isinstance(entry, list):
            return UnreadableImage(*entry)
        kind = np.dtype(entry)
        data = answers.read(size := how.channels * how.side**2 * kind.itemsize)
        if len(data) < size:
            raise ValueError("the answer is cut short")
        return np.frombuffer(data, kind).reshape(how.channels, how.side, how.side)

    def close(self) -> None:
        """End the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.process.terminate()
        self.process.wait()


class Pool:
    """So many processes, each started when it is needed first; ended with this one."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: LifoQueue[Worker | None] = LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="jepa-decoding")
        atexit.register(self.close)

    def _made(self, files: Sequence[File], how: How) -> list[Result]:
        worker = self._idle.get()
        try:
            worker = worker or Worker()
            return worker.made(files, how)
        except BaseException:
            if worker is not None:
                worker.close()
                worker = None
            raise
        finally:
            self._idle.put(worker)

    def made(self, files: Sequence[File], how: How) -> Generator[Result, None, None]:
        """Yield what is made of files, in their order."""
        waiting: deque[Future[list[Result]]] = deque()
        try:
            step = min(CHUNK, max(1, -(-len(files) // (4 * self.count))))  # each has several, and ends with the others
            for k in range(0, len(files), step):
                waiting.append(self._threads.submit(self._made, files[k : k + step], how))
                if len(waiting) > 2 * self.count:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End those that have nothing to do."""
        with suppress(Empty):
            while True:
                if (worker := self._idle.get_nowait()) is not None:
                    worker.close()


@cache
def _pool(count: int, process: int) -> Pool:
    return Pool(count)


def pool(count: int) -> Pool:
    """Return the processes of this process: they are kept, for all that there is to decode."""
    return _pool(count, os.getpid())


def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until nothing more is asked."""
    for line in asked:
        how, files = json.loads(line)
        how = How(*how)
        found = [made(file if isinstance(file, str) else Member(*file), how) for file in files]
        entries = [
            [str(one.path), one.reason, one.remedy] if isinstance(one, UnreadableImage) else one.dtype.str
            for one in found
        ]
        answers.write(json.dumps(entries).encode() + b"\n")
        for one in found:
            if not isinstance(one, UnreadableImage):
                answers.write(np.ascontiguousarray(one).data)
        answers.flush()


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)
    os._exit(0)  # nothing to put away, and nobody to tell of a pipe that is gone


if __name__ == "__main__":
    _main()
