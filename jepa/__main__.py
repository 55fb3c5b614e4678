"""The command line: `python -m jepa VERB ...`. It sets the number of threads, finds the verb, and says what went wrong.

OpenBLAS reads its settings once, when NumPy is loaded. So nothing here loads NumPy before `set_threads` has run; what a
verb needs is imported by the verb.
"""

import difflib
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from jepa import __version__
from jepa.errors import JEPAError, sentence
from jepa.terminal import standard_streams

VERBS = {
    "demo": ("runs:demo", "write the default images, train, evaluate, draw the report"),
    "train": ("runs:train", "train a model on images or arrays"),
    "eval": ("runs:evaluate", "linear probe and kNN of a run, beside their baselines"),
    "finetune": ("finetuned:finetune", "train a classifier on an encoder, and the encoder with it, on some labels"),
    "predict": ("finetuned:predict", "label and probability of each example, by a fine-tuned classifier"),
    "embed": ("runs:embed", "write the embeddings of examples as .npz or .csv"),
    "plan": ("planned:plan", "act by what a run's model imagines, and count how often goals are reached"),
    "plot": ("runs:plot", "draw a run's pictures and report.html"),
    "compare": ("runs:compare", "write a page about several runs: results, curves, the settings that differ"),
    "explore": ("runs:explore", "write a page to look around in a run: attention, neighbors, checkpoints"),
    "data make": ("data:make", "write a default data set as a folder of PNG files"),
    "data inspect": ("data:inspect", "say what is in a folder of images"),
    "data clean": ("data:clean", "remove the decoded images that are kept on the disk"),
    "data get": ("data:get", "download a public data set: cifar10, stl10, imagenette, speech-commands, ucr:NAME, ..."),
    "config": ("settings:show", "print the settings with their help, or every kind of every part"),
    "doctor": ("settings:doctor", "versions, threads, GPU, optional packages, self-test"),
}

SHARED = ("train", "eval", "embed", "doctor")
"""verbs whose work several processes share"""

LAUNCHED = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")  # `mpiexec` or `srun` sets one of them
NEAR = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")  # processes on this machine
PATIENCE = 2.0  # seconds that the first process has to say what went wrong in all of them
ARRIVAL = 0.1  # seconds until what a process has said is with its launcher, which loses the rest when it ends

MOST = 4  # threads, unless more are asked for
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def usage() -> str:
    """Return the list of verbs."""
    lines = [f"  {verb:<14}{text}" for verb, (_, text) in VERBS.items()]
    last = "`python -m jepa VERB --help` says more; settings are key=value, such as optimizer.lr=0.001."
    return "\n".join(["usage: python -m jepa VERB ...", "", *lines, "", last])


def set_threads(argv: Sequence[str]) -> None:
    """Obey `--threads N` in `argv`: through the environment before NumPy is loaded, else through threadpoolctl.

    Without the flag they are as many as there are cores, at most 4 (of several processes on a machine each takes a
    share), unless NumPy's own variables are set: each computes a part of every batch (`mt.data_parallel`), and parts of
    a few images are not worth it. Idle OpenBLAS threads spin for 2^4 cycles instead of 2^26: they would spin on the
    cores of those that compute.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    near = [os.environ[name] for name in NEAR if os.environ.get(name, "").isdecimal()]
    if near and cores == os.cpu_count():  # else each was given cores of its own
        cores = max(1, cores // max(1, int(near[0])))
    count = None if os.environ.keys() & {*THREAD_VARIABLES} else str(min(cores, MOST))
    for word, following in zip(argv, [*argv[1:], ""], strict=False):
        flag, equals, value = word.partition("=")
        if flag == "--threads":
            count = value if equals else following
    if count is None or not count.isdecimal() or len(count) > 3 or int(count) < 1:
        return  # nothing asked, or nothing that makes sense: the verb's parser answers that
    for name in THREAD_VARIABLES:
        os.environ[name] = count
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(int(count))


def _find(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Split the words into a verb, of one word or two, and the rest."""
    for length in (2, 1):
        if (verb := " ".join(argv[:length])) in VERBS:
            return verb, list(argv[length:])
    said = " ".join(argv[:2] if argv[0] == "data" else argv[:1])
    if said.startswith("-"):
        raise JEPAError(f"the verb comes first: python -m jepa VERB {said} ...; the verbs are {', '.join(VERBS)}")
    near = difflib.get_close_matches(said, VERBS, n=1, cutoff=0.5)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    raise JEPAError(f"there is no verb '{said}'.{guess} The verbs are {', '.join(VERBS)}")


def _joined() -> Any:
    """Return the team of the processes that were started together, None if there is one.

    From then on an error ends all of them, as the others would wait for this one for ever. The first alone speaks.
    """
    if not os.environ.keys() & {*LAUNCHED}:
        return None
    import minitensor as mt

    team = mt.teams.join()
    if team is not None and team.rank:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        os.environ["TQDM_DISABLE"] = "1"
        logging.getLogger("jepa").setLevel(logging.ERROR)
    return team


def _ended(team: Any, code: int, said: str) -> int:
    """Say what ended the work; of several processes that may all say it, the first does."""
    if team is not None and team.rank and code != 130:
        time.sleep(PATIENCE)
    if team is None or team.rank == 0 or code != 130:
        print(f"jepa: {said}", file=sys.stderr)
    if team is not None and code == 130:  # all of them may have come to an end together
        timer = threading.Timer(PATIENCE, team.abort, [code])
        timer.daemon = True
        timer.start()
    elif team is not None:
        sys.stderr.flush()
        time.sleep(ARRIVAL)
        team.abort(code)
    return code


def _run(argv: Sequence[str], team: Any) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"minitensor-jepa {__version__}")
        return 0
    verb, words = _find(argv)
    if team is not None and verb not in SHARED:
        raise JEPAError(f"{verb} does not share its work out among {team.size} processes: start it without mpiexec")
    module, _, function = VERBS[verb][0].partition(":")
    call = getattr(importlib.import_module(f"jepa.commands.{module}"), function)
    return int(call(words))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code: 0, 2 for a mistake the user can mend, 130 after Ctrl-C.

    Standard output and error may be closed, or of any encoding: the work is done all the same.
    """
    argv = sys.argv[1:] if argv is None else argv
    set_threads(argv)
    team = None
    with standard_streams():
        try:
            team = _joined()
            code = _run(argv, team)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            return _ended(team, 130, "interrupted")
        except Exception as error:
            if (text := sentence(error)) is None:
                raise
            return _ended(team, 2, f"error: {text}")


if __name__ == "__main__":
    sys.exit(main())
