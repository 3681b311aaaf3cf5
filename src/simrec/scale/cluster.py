"""A Ray cluster: joined or started here, its nodes, and the proof that all of them see a build's folder."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from simrec import __version__
from simrec.errors import ClusterError
from simrec.files import write_whole
from simrec.scale.attempt import CLAIM, new_token, sees, versions

logger = logging.getLogger(__name__)

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what joblib counts, and with it simrec.index.threads
)
"""Variables that give a task the one thread that it asks Ray for."""
PASSED = ("PYTHONPATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "NUMBA_CACHE_DIR")
"""Variables of the driver that workers have to share."""
ANSWER = 10.0
"""Seconds that a cluster has to answer in."""
PROOF = 120.0
"""Seconds that a node has to prove in that it sees the folder: a worker may have to start there first."""


class Node(NamedTuple):
    """A node that is alive: its id, address, cpus, and the bytes that tasks may ask for."""

    id: str
    address: str
    cpus: int
    memory: int


class Cluster:
    """A cluster that this process drives; `connect` makes it.

    Args:
        ray: the package, connected.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self._proved: set[tuple[Path, str]] = set()

    def nodes(self) -> list[Node]:
        """Those that are alive."""
        return [
            Node(
                found["NodeID"],
                found["NodeManagerAddress"],
                int(found["Resources"].get("CPU", 0)),
                int(found["Resources"].get("memory", 0)),
            )
            for found in self.ray.nodes()
            if found["Alive"]
        ]

    @property
    def cpus(self) -> int:
        """Of all nodes."""
        return sum(one.cpus for one in self.nodes())

    @property
    def memory(self) -> int:
        """Bytes that a task may ask for: what the largest node that runs tasks has."""
        return max((one.memory for one in self.nodes() if one.cpus), default=0)

    def claim(self, folder: Path) -> str:
        """Makes a build this driver's: tasks of others do nothing more in its folder. Returns the token of it."""
        token = new_token(uuid4().hex)
        write_whole(folder / CLAIM, token.encode(), "free some space and run it again")
        return token

    def prove(self, folder: Path, token: str) -> None:
        """Has every node that runs tasks prove that it sees a build's folder and runs the same code; each node once.

        Raises:
            ClusterError: one does not.
        """
        here = versions()
        known = {id_ for at, id_ in self._proved if at == folder}
        for one, found in self.on_each(_prove, str(folder), token, but=known):
            self._check(one, found, folder, here)

    def on_each(
        self, work: Callable[..., Any], *arguments: Any, but: Collection[str] = ()
    ) -> Iterator[tuple[Node, Any]]:  # fmt: skip
        """What a work gives back on each node that runs tasks, beside these.

        Args:
            work: at the top of a module.
            arguments: of it.
            but: ids of nodes to pass over.

        Raises:
            ClusterError: a node does not answer in time, or cannot run it.
        """
        asked = {self._ask(one, work, arguments): one for one in self.nodes() if one.cpus and one.id not in but}
        ready, late = self.ray.wait(list(asked), num_returns=len(asked), timeout=PROOF) if asked else ([], [])
        for ref in ready:
            yield from ((asked[ref], found) for found in self._answer(asked[ref], ref))
        if late:
            where = asked[late[0]].address
            raise ClusterError(f"node {where} does not answer within {PROOF:.0f} s: look at `ray status`, or remove it")

    def _ask(self, one: Node, work: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(one.id, soft=False)
        task = self.ray.remote(work).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        return task.remote(*arguments)

    def _answer(self, one: Node, ref: Any) -> list[Any]:
        """What a node gave back; nothing where it has died meanwhile, for nothing is run there."""
        try:
            return [self.ray.get(ref)]
        except self.ray.exceptions.RayTaskError as error:
            told = str(error).strip().splitlines()[-1]
            raise ClusterError(f"node {one.address} cannot run simrec: {told}; install simrec {__version__}") from error
        except self.ray.exceptions.RayError as error:
            logger.warning("node %s is lost: %s", one.address, type(error).__name__)
            return []

    def _check(self, one: Node, found: tuple[bool, dict[str, str]], folder: Path, here: dict[str, str]) -> None:
        seen, there = found
        if not seen:
            advice = "put the workspace on a disk that all nodes mount at the same path, and let them write there"
            raise ClusterError(f"node {one.address} does not see {folder}: {advice}")
        for name, version in here.items():
            if there[name] != version:
                raise ClusterError(f"node {one.address} has {name} {there[name]}, the driver {version}: install that")
        self._proved.add((folder, one.id))


def _prove(folder: str, token: str) -> tuple[bool, dict[str, str]]:
    if not sees(folder, token):
        return False, versions()
    mine = Path(folder) / f".{uuid4().hex}"
    try:
        mine.touch()
        mine.unlink()
    except OSError:
        return False, versions()
    return True, versions()


@contextmanager
def connect(address: str | None = None, *, cores: int | None = None) -> Iterator[Cluster]:
    """A cluster, for as long as it is needed; SIGTERM then ends the work as Ctrl-C does.

    Args:
        address: `host:port` of a cluster that this machine is a node of, or "auto" for the one that runs here; None
            starts one of this machine alone.
        cores: that such a one has; None: all.

    Raises:
        ClusterError: Ray is not installed or runs already in this process, or the cluster does not answer, or has
            another version.
    """
    ray = _import()
    if ray.is_initialized():
        raise ClusterError("this process is connected to Ray already: call ray.shutdown() before")
    if address not in (None, "auto"):
        _knock(str(address))
    with _stopped_by_sigterm() as stop:
        _init(ray, address, cores)
        stop()
        try:
            yield Cluster(ray)
        finally:
            ray.shutdown()


def _import() -> Any:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a task without a GPU leaves them alone
    os.environ.setdefault("RAY_DATA_USAGE_DISABLED", "1")  # its thread outlives the connection, and can end the process
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ClusterError("Ray is not installed: pip install 'simrec[ray]', on every node") from error
    return ray


def _init(ray: Any, address: str | None, cores: int | None) -> None:
    here: dict[str, Any] = {"num_cpus": cores or _cores(), "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            runtime_env={"env_vars": environment()},
            logging_level=logging.ERROR,
            log_to_driver=False,
            **({} if address else here),
        )
        ray._private.worker._worker_logs_enabled = False  # nodes' messages would go to stdout, where --json writes
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        ray.shutdown()
        raise ClusterError(_why(str(error), address)) from error


def _why(told: str, address: str | None) -> str:
    lines = [one.strip(" .") for one in told.splitlines() if one.strip()] or ["it does not say why"]
    if "ersion mismatch" in told or "started with" in told:
        return f"the cluster has other versions than this machine: {'; '.join(lines)}; install the same ones"
    if address is None:
        return f"Ray cannot be started here: {lines[0]}; look into /tmp/ray/session_latest/logs"
    advice = "run `ray start --head` there and `ray start --address=HOST:PORT` on each other machine, this one too"
    return f"no Ray cluster at {address} can be joined: {lines[0]}; {advice}"


def _knock(address: str) -> None:
    """Raises ClusterError where nobody answers: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        raise ClusterError(f"{address} is no address of a Ray cluster: give HOST:PORT, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except OSError as error:
        raise ClusterError(_why(error.strerror or str(error), address)) from error


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())


def environment() -> dict[str, str]:
    """The variables of workers."""
    passed = {name: os.environ[name] for name in PASSED if os.environ.get(name)}
    if "PYTHONPATH" in passed:
        parts = [str(Path(part).resolve()) for part in passed["PYTHONPATH"].split(os.pathsep) if part]
        passed["PYTHONPATH"] = os.pathsep.join(parts)
    return {**passed, **dict.fromkeys(ONE_THREAD, "1"), "TOKENIZERS_PARALLELISM": "false"}


@contextmanager
def _stopped_by_sigterm() -> Iterator[Callable[[], object]]:
    """Calling what it gives lets SIGTERM interrupt, as Ctrl-C does, instead of what Ray sets up; at the end it does
    again what it did."""
    if threading.current_thread() is not threading.main_thread():  # only it may say what a signal does
        yield lambda: None
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield lambda: signal.signal(signal.SIGTERM, signal.default_int_handler)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
