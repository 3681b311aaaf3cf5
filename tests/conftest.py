"""What all tests share: no network, and no settings from the machine."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
"""Threads of OpenMP that wait for work sleep: they would keep a core busy that another process needs."""
WORDS = "the a bridge over river is closed open again says mayor potatoes rot in wet fields say farmers breed on ice"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says at the end what was not tested, and why: a green run without a browser or a database is not a whole one."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"NOT TESTED HERE: {len(skipped)} skipped", sep="!", yellow=True, bold=True)
        for line in untested((report.nodeid, report.longrepr[2]) for report in skipped):
            terminalreporter.write_line(line, yellow=True)


def untested(skipped: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of what was skipped, a reason each, the one with the most tests first.

    Args:
        skipped: the id of each test, and why it was skipped.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for test, reason in skipped:
        by_reason[reason.removeprefix("Skipped: ")].append(test.partition("::")[0])
    found = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return [f"{len(files)} skipped, {reason}: {', '.join(sorted({*files}))}" for reason, files in found]


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """What is imported by now stays: no search for garbage goes through it again, and each build has two."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a network, or sees variables of the shell that runs it."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("SIMREC_WORKSPACE", "SIMREC_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model with random weights: one layer, 32 dimensions, 32 tokens, a few English words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from simrec.embed.sentence import no_bars

    folder = tmp_path_factory.mktemp("toy")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,!?", *letters, *(f"##{c}" for c in letters)]
    vocabulary = dict.fromkeys([*tokens, *WORDS.split()])
    state = torch.get_rng_state()
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    with no_bars():
        BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)).save_pretrained(folder)
        BertTokenizerFast(vocab={token: at for at, token in enumerate(vocabulary)}).save_pretrained(folder)
        modules = [Transformer(str(folder), max_seq_length=32), Pooling(32, "mean"), Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save_pretrained(
            str(folder / "model"), create_model_card=False
        )
    torch.set_rng_state(state)
    return folder / "model"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of the tests' own, on a socket, with a password that no message may show."""
    pytest.importorskip("pg8000", reason="pg8000 is not installed")
    programs = [Path(found).parent for found in [shutil.which("initdb")] if found]
    programs += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    program = next((folder for folder in programs if (folder / "initdb").exists()), None)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if program is None or (as_user and not (shutil.which("runuser") and _has_user("postgres"))):
        pytest.skip("PostgreSQL is not installed (initdb), or cannot be run by a user of its own")
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        if as_user:
            shutil.chown(folder, "postgres")
        data, quiet = folder / "data", {"check": True, "capture_output": True, "cwd": folder}
        start = ["-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "-l", str(folder / "log"), "-w", "start"]
        subprocess.run([*as_user, program / "initdb", "-D", data, "-U", "simrec", "-E", "UTF8", "-A", "trust"], **quiet)
        subprocess.run([*as_user, program / "pg_ctl", "-D", data, *start], **quiet)
        try:
            yield f"postgresql://simrec:s3cr%40t@/postgres?host={folder}"
        finally:
            subprocess.run([*as_user, program / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)


def _has_user(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
