"""`simrec serve` as it runs: processes, signals, sockets, and what comes in over them."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psutil
import pytest
from uvicorn.supervisors import multiprocess

from simrec.cli import main
from simrec.pipeline.build import build
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.workspace import Workspace
from simrec.serve.run import _config, _Processes
from simrec.settings import ServeSettings

SIMREC = [sys.executable, "-c", "from simrec.cli import main; raise SystemExit(main())"]
Started = Callable[..., tuple[subprocess.Popen[str], int]]


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in the test's process."""

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        return Ran(code, *capsys.readouterr())

    return command


@pytest.fixture
def site(town_built: Path, tmp_path: Path) -> Path:
    """A copy of the town whose dates do not matter."""
    shutil.copytree(town_built, tmp_path / "site")
    with (tmp_path / "site" / "simrec.toml").open("a", encoding="utf-8") as file:
        file.write("\n[serve]\naccess_log = false\ndrain = 0\n")
    return tmp_path / "site"


@pytest.fixture
def started(site: Path) -> Iterator[Started]:
    """Starts a service at a free port, and waits until it is ready."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], int]:
        arguments = ["serve", "-w", str(site), "--port", "0", *options]
        log = site.parent / "log"
        with log.open("w") as file:
            process = subprocess.Popen([*SIMREC, *arguments], stderr=file, text=True)
        running.append(process)
        for _ in range(600):
            time.sleep(0.05)
            line = log.read_text(encoding="utf-8").partition("\n")
            try:
                if line[1] and get(port := int(line[0].rsplit(":", 1)[1]), "/readyz")[0] == 200:
                    return process, port
            except OSError:
                pass
        pytest.fail(f"it did not get ready: {log.read_text(encoding='utf-8')}")

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """One request over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def raw(port: int, data: bytes, *, wait: float = 30.0, more: float = 0.5) -> bytes:
    """What comes back for bytes within `wait` seconds, until the other side closes, or for `more` seconds is silent."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        try:
            connection.sendall(data)  # which may be cut off, too
            while part := connection.recv(65_536):
                found += part
                connection.settimeout(more)
        except (TimeoutError, ConnectionError):
            pass
    return found


def test_what_is_wrong_is_said_in_a_line(site: Path, tmp_path: Path, run: Callable[..., Ran]) -> None:
    """No workspace, nothing built, a port that is taken, one that there is not, a host of others."""
    (tmp_path / "articles.jsonl").write_text('{"id": "a", "title": "b", "body": "c"}', encoding="utf-8")
    assert run("ingest", str(tmp_path / "articles.jsonl"), "-w", str(tmp_path / "new")).code == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, code, words in (
            (["-w", str(tmp_path / "nowhere")], 1, "is no workspace"),
            (["-w", str(tmp_path / "new")], 1, "run `simrec build` first"),
            (["-w", str(site), "--port", str(port)], 2, f"port {port}: Address already in use"),
            (["-w", str(site), "--port", "70000"], 2, "0 to 65535"),
            (["-w", str(site), "--workers", "0"], 2, "1 to 64"),
            (["-w", str(site), "--host", "203.0.113.1", "--port", "0"], 2, "choose others with --host and --port"),
        ):
            found = run("serve", *arguments)
            assert (found.code, found.out) == (code, "")
            assert words in found.err
            assert found.err.count("\n") == 1, found.err


def test_keys_are_made_listed_and_revoked(site: Path, run: Callable[..., Ran]) -> None:
    """The secret is printed once; names and scopes that cannot be are refused."""
    made = run("keys", "create", "CMS", "--scope", "publish,edit", "--days", "30", "-w", str(site), "--json")
    key = json.loads(made.out)
    assert key["key"].startswith(f"sr_{key['id']}_")
    listed = run("keys", "list", "-w", str(site), "--json")
    assert key["key"].split("_", 2)[2] not in listed.out
    [one] = json.loads(listed.out)["keys"]
    assert (one["id"], one["scopes"], one["state"]) == (key["id"], ["edit", "publish"], "good")
    assert run("keys", "revoke", key["id"], "-w", str(site)).code == 0
    assert json.loads(run("keys", "list", "-w", str(site), "--json").out)["keys"][0]["state"] == "revoked"
    assert run("keys", "revoke", "nobody", "-w", str(site)).code == 1
    with Workspace.open(site).store() as store:
        noted = [(one.action, one.target, one.outcome, one.name, one.key_id) for one in store.audited()]
    assert noted == [(f"keys {what}", key["id"], "done", "simrec", None) for what in ("revoke", "create")]
    for arguments in (
        ["create", "x", "--scope", "all"],
        ["create", "x", "--scope", ","],
        ["create", " ", "--scope", "read"],
        ["create", "a\nb", "--scope", "read"],
        ["create", "x", "--scope", "read", "--days", "0"],
        ["create", "x", "--scope", "read", "--days", "9999999999"],
    ):
        assert run("keys", *arguments, "-w", str(site)).code == 2, arguments


def test_a_large_site_has_time_to_be_read_before_a_process_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SIGHUP a new process takes the place of the old one although it needs a minute to start."""

    class Slow:
        pid = 1

        def __init__(self, *_: Any) -> None:
            self.told = list[str]()

        def __getattr__(self, name: str) -> Any:
            return lambda *_: self.told.append(name)

        def wait_until_ready(self, seconds: float, _: Any) -> bool:
            return seconds > 60

    monkeypatch.setattr(multiprocess, "Process", Slow)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    config = _config(ServeSettings(), 1)
    usual = config.timeout_worker_healthcheck
    processes = _Processes(config, [], SimpleNamespace(renew=lambda: None))  # type: ignore[arg-type]
    processes.processes = old = [Slow(), Slow()]  # type: ignore[list-item]
    old = [*old]
    processes.handle_hup()
    assert [one.told for one in old] == [["terminate", "join"]] * 2
    assert not {id(one) for one in processes.processes} & {id(one) for one in old}
    assert config.timeout_worker_healthcheck == usual


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_requests_under_way_are_answered_before_it_ends(started: Started, number: signal.Signals) -> None:
    """A signal while the body of a request is on its way: it is answered; then the process ends, the port is free."""
    process, port = started()
    body = json.dumps({"ids": ["t000"]}).encode()
    head = b"POST /v1/similar:batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head + f"content-length: {len(body)}\r\n\r\n".encode() + body[:5])
        time.sleep(0.3)
        process.send_signal(number)
        time.sleep(0.5)
        assert process.poll() is None
        connection.sendall(body[5:])
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert process.wait(20) in (0, -signal.SIGTERM)
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system calls it
        get(port, "/healthz")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nobody_is_sent_to_a_process_that_is_about_to_end(site: Path, started: Started, workers: str) -> None:
    """After SIGTERM readiness is 503 while blocks are given as before; then the port is closed, or when told again."""
    settings = site / "simrec.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("drain = 0", "drain = 60"), encoding="utf-8")
    process, port = started("--workers", workers)
    process.terminate()
    waited(lambda: get(port, "/readyz")[0] == 503)
    time.sleep(0.3)  # the other process hears of it at the same moment
    for _ in range(8):
        assert get(port, "/readyz")[0] == 503
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/v1/articles/t000/similar")[0] == 200
    process.terminate()
    assert process.wait(20) == 0
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system calls it
        get(port, "/healthz")


def test_several_processes_serve_one_port_and_follow(started: Started, site: Path) -> None:
    """Two processes; articles are withdrawn, and another snapshot is built, under requests: none fails, all follow.

    What they count is counted together; one that dies is replaced.
    """
    process, port = started("--workers", "2")
    failed: list[Any] = []
    done = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not done.is_set():
            for number in range(1, 40):
                connection.request("GET", f"/v1/articles/t{number:03}/similar")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    failed.append(response.status)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    workspace = Workspace.open(site)
    with Pipeline(workspace) as pipeline:
        pipeline.withdraw("t000")
    build(workspace, k=3)
    time.sleep(1.5)
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    for _ in range(20):
        assert get(port, "/v1/articles/t000/similar")[0] == 404
        assert len(json.loads(get(port, "/v1/articles/t001/similar")[1])["items"]) == 3
    with workspace.store() as store:
        key = store.create_key("Prometheus", ["read"]).secret
    time.sleep(1.5)
    headers = {"authorization": f"Bearer {key}"}
    texts = [get(port, "/metrics", headers)[1].decode() for _ in range(4)]
    line = 'simrec_request_seconds_count{method="GET",route="/v1/articles/{id}/similar",status="404"} 20.0'
    assert all(line in text for text in texts)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    workers = [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    os.kill(int(workers[0]), signal.SIGKILL)
    for _ in range(5):
        assert get(port, "/healthz")[0] == 200


ATTACKS = {
    "header in a path": b"GET /v1/articles/a%0d%0aset-cookie:%20x=1/similar HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "header in an id": b"GET /v1/articles?cursor=%0d%0aset-cookie:x HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "two lengths": b"POST /v1/similar:batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n"
    b"content-length: 5\r\n\r\n{}",
    "length and chunks": b"POST /v1/similar:batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no host": b"GET /v1/articles/t000/similar HTTP/1.1\r\n\r\n",
    "way up": b"GET /v1/articles/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "absolute": b"GET http://evil.example/v1/articles/t000 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    "long head": b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
    "websocket": b"GET /v1/articles/t000 HTTP/1.1\r\nhost: evil.example\r\nupgrade: websocket\r\n"
    b"connection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
}


def test_attacks_over_the_wire_get_nothing(started: Started) -> None:
    """Each is refused with 4xx and no header of its own, and the service goes on."""
    _, port = started()
    for name, data in ATTACKS.items():
        answer = raw(port, data)
        head = answer.split(b"\r\n\r\n")[0].lower()
        if head or name != "long head":  # of what it did not read, it may be cut off before the answer arrives
            assert head.startswith(b"http/1.1 4"), (name, head[:100])
        assert b"\r\nset-cookie" not in head, name
        assert b"\r\nserver:" not in head, name
        assert answer.count(b"HTTP/1.1 2") == 0, name
    assert get(port, "/v1/articles/t000/similar", {"host": "localhost"})[0] == 200


def test_a_request_that_drips_in_is_ended(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that never ends is closed in its time, in the protocol that the service runs."""
    import asyncio

    from uvicorn import Config, Server

    from simrec.serve import protocol

    monkeypatch.setattr(protocol, "SECONDS", 0.3)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def attempt() -> tuple[bytes, bytes]:
        server = Server(Config(app, port=0, http=protocol.Protocol, lifespan="off", log_config=None, access_log=False))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            while not server.started:
                await asyncio.sleep(0.01)
            port = listening.getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
            slow = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(3):
                writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
                good = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
                await asyncio.sleep(0.2)
            writer.close()
            server.should_exit = True
            await serving
        return slow, good

    slow, good = asyncio.run(attempt())
    assert slow == b""
    assert good.startswith(b"HTTP/1.1 204")


def test_the_writer_is_a_process_of_its_own(site: Path, started: Started) -> None:
    """Killed, it is started again, and what was asked meanwhile is done; it ends with the service, killed or not."""
    with Workspace.open(site).store() as store:
        key = store.create_key("Desk", ["publish"]).secret
    service, port = started()
    (first,) = waited(lambda: beside(service.pid, "apart"))
    os.kill(first, signal.SIGKILL)
    assert put(port, key) == 201
    (second,) = waited(lambda: beside(service.pid, "apart"))
    assert second != first
    service.kill()
    service.wait(20)
    waited(lambda: not alive(second))


def test_a_draft_is_not_written_down(site: Path, started: Started) -> None:
    """What a text would have comes from the writer's process, and no byte of the text is in the store after it."""
    with Workspace.open(site).store() as store:
        key = store.create_key("CMS", ["publish"]).secret
    _, port = started()
    draft = {"title": "A zeppelin beside the bridge", "body": "The zeppelin lands. Engineers close the bridge.", "k": 3}
    status, body = send(port, "POST", "/v1/similar", key, draft)
    assert status == 200
    assert len(json.loads(body)["items"]) == 3
    assert not any(b"zeppelin" in path.read_bytes() for path in site.glob("simrec.db*"))
    with Workspace.open(site).store() as store:
        assert store.outcomes(range(1, 10)) == {}
    assert send(port, "POST", "/v1/similar", key, {**draft, "k": 0})[0] == 422


def test_pages_are_looked_at_by_a_process_of_their_own(site: Path, started: Started) -> None:
    """Killed, it is started again, and the next look is as the last one; it ends with the service, killed or not."""
    with Workspace.open(site).store() as store:
        key = store.create_key("Ada", ["edit"]).secret
    with (site / "simrec.toml").open("a", encoding="utf-8") as file:
        file.write('desk_models = ["tfidf"]\n')
    service, port = started()
    headers = {"cookie": sign_in(port, key)}

    def candidates() -> int:
        return get(port, "/desk/article?id=t000", headers)[1].count(b"<li") if beside(service.pid, "looking") else 0

    (first,) = waited(lambda: beside(service.pid, "looking"))
    many = waited(lambda: found if (found := candidates()) > 20 else 0)
    os.kill(first, signal.SIGKILL)
    waited(lambda: candidates() == many)
    (second,) = beside(service.pid, "looking")
    assert second != first
    service.kill()
    service.wait(20)
    waited(lambda: not alive(second))


def put(port: int, key: str) -> int:
    """The status of an article that is published."""
    article = {"title": "A crane falls", "body": "It fell beside the bridge.", "lang": "en"}
    return send(port, "PUT", "/v1/articles/crane", key, article)[0]


def send(port: int, method: str, path: str, key: str, value: Any) -> tuple[int, bytes]:
    """One request with a key and a value."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(value), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def sign_in(port: int, key: str) -> str:
    """The cookie of an editor."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": f"http://127.0.0.1:{port}"}
    try:
        connection.request("POST", "/desk/login", f"key={key}", headers)
        return (connection.getresponse().getheader("set-cookie") or "").partition(";")[0]
    finally:
        connection.close()


def beside(parent: int, module: str) -> list[int]:
    """The children of a process that run a module of the service."""
    found = [psutil.Process(parent)] if psutil.pid_exists(parent) else []
    children = [one for process in found for one in process.children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one.pid for one in children if f"simrec.serve.{module}" in one.cmdline()]


def alive(pid: int) -> bool:
    """Whether a process still runs."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def waited(look: Callable[[], Any]) -> Any:
    """What a look finds, once it finds something."""
    for _ in range(600):
        if found := look():
            return found
        time.sleep(0.05)
    pytest.fail("nothing came of it in 30 seconds")
