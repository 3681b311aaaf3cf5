"""Fine-tuning: with a tiny random transformer, on a site whose picks follow topics that no shared word betrays."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simrec.cli import main
from simrec.embed.cache import is_intact
from simrec.embed.sentence import SentenceEmbedder
from simrec.errors import ModelError
from simrec.evaluate.protocol import Truth, group_sources, truth
from simrec.pipeline import finetune as module
from simrec.pipeline.finetune import Tuning, finetune, finetune_site
from simrec.pipeline.finetune_pairs import hold_out, mine
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.types import Corpus

TOPICS, SOURCES, TARGETS, WORDS = 12, 6, 8, 5
PLAN = {"learning_rate": 3e-3, "check_every": 10, "save_every": 5, "max_tokens": 32, "patience": 20}
TUNING = Tuning(epochs=12, minutes=5, plan=PLAN)


def word(topic: int, side: str, number: int) -> str:
    """A word of a topic; sources and targets of one topic share none."""
    return f"{side}{'bdfghjklmnpr'[topic]}{'aeiou'[number]}"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers in a sentence-transformers folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

    path = tmp_path_factory.mktemp("tiny")
    words = [word(t, side, w) for t in range(TOPICS) for side in ("s", "t") for w in range(WORDS)]
    vocabulary = {name: i for i, name in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    BertTokenizerFast(tokenizer_object=BertWordPieceTokenizer(vocabulary)._tokenizer).save_pretrained(path / "bert")
    set_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(path / "bert")
    transformer = Transformer(str(path / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save_pretrained(
        str(path / "model"), create_model_card=False
    )
    return path / "model"


@pytest.fixture
def topics(make_site: Callable[..., Workspace], tiny: Path) -> Callable[..., Workspace]:
    """Makes a site; its picks follow the topics, or nothing at all."""

    def make(*, by_topic: bool = True, sources: int = SOURCES) -> Workspace:
        rng = random.Random(0)
        articles, picks = [], []
        targets = [f"t{topic}-{number}" for topic in range(TOPICS) for number in range(TARGETS)]
        for topic in range(TOPICS):
            for side, count in (("s", sources), ("t", TARGETS)):
                for number in range(count):
                    text = [" ".join(rng.choices([word(topic, side, w) for w in range(WORDS)], k=n)) for n in (4, 12)]
                    articles.append({"id": f"{side}{topic}-{number}", "title": text[0], "body": text[1], "lang": "en"})
            own = [target for target in targets if target.startswith(f"t{topic}-")]
            for number in range(sources):
                chosen = rng.sample(own if by_topic else targets, 2)
                picks += [f"s{topic}-{number},{target},{rank}" for rank, target in enumerate(chosen, 1)]
        lines = "\n".join(json.dumps(article) for article in articles)
        return make_site(lines, "\n".join(picks) + "\n", f'[sentence]\nmodel = "{tiny}"\ndevice = "cpu"\n')

    return make


def load(workspace: Workspace) -> tuple[Site, Truth]:
    """The site of a workspace, and its picks."""
    with workspace.store() as store:
        corpus, picks = Corpus(store.articles()), store.picks()
    return Site(corpus, workspace.settings, workspace.vectors), truth(corpus, picks)


def test_a_model_that_helps_is_kept_and_used_from_then_on(
    topics: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is written as safetensors with its evidence, the settings name it, and an evaluation warns of the leak."""
    workspace = topics()
    found = finetune(workspace, TUNING)
    figures = found.described["figures"]
    assert found.kept, found.why
    assert figures["sentence"]["after"] > figures["sentence"]["before"] + 0.2
    assert figures["hybrid"]["low"] > 0
    folder = workspace.path / "models" / "sentence"
    assert found.folder == folder
    assert is_intact(folder)
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert "model.safetensors" in files
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    assert not (workspace.path / "models" / "sentence.part").exists()
    described = json.loads((folder / "finetune.json").read_text(encoding="utf-8"))
    assert set(described) >= {"base", "trained", "held_out", "picks_hash", "tuning", "training", "figures", "seconds"}
    again = Workspace.open(workspace.path)
    assert again.settings.sentence.model == str(folder.resolve())
    settings = again.settings.sentence.model_dump()
    assert SentenceEmbedder(**settings).fingerprint in {path.name for path in workspace.vectors.iterdir()}
    assert main(["evaluate", "-w", str(workspace.path), "--model", "sentence"]) == 0
    out = capsys.readouterr().out
    assert f"fine-tuned on the picks of {len(described['trained'])} of the {TOPICS * SOURCES} tested sources" in out
    assert main(["evaluate", "-w", str(workspace.path), "--model", "sentence", "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["protocol"]["warnings"]
    assert len(warnings) == 1
    once_more = finetune(again, TUNING)
    assert once_more.described["base"] == described["base"], "it starts from the model that saw no pick"
    assert once_more.described["figures"] == figures
    with (folder / "config.json").open("a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(ModelError, match="does not match its checksums"):
        SentenceEmbedder(**settings).fit([])


def test_picks_without_reason_change_nothing(topics: Callable[..., Workspace]) -> None:
    """Where hybrid gains nothing, settings and models are as before, and the reason is told."""
    workspace = topics(by_topic=False)
    before = (workspace.path / "simrec.toml").read_bytes()
    found = finetune(workspace, TUNING)
    assert not found.kept
    assert "the sentence model stays as it is" in found.why
    assert (workspace.path / "simrec.toml").read_bytes() == before
    assert list((workspace.path / "models").iterdir()) == []


def test_training_that_stops_halfway_goes_on_as_if_it_had_not(
    topics: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run resumes from its checkpoint, without a pickle, and ends with the same weights."""
    import torch
    from safetensors.numpy import load_file

    from simrec.embed.training import Watch

    site, known = load(topics())
    monkeypatch.setattr(module, "LEAST_GAIN", -100)
    tuning = Tuning(epochs=4, plan=PLAN)
    whole = finetune_site(site, known, tmp_path / "whole", tuning)

    steps: list[int] = []
    on_step_end = Watch.on_step_end

    def dies(watch: Watch, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        steps.append(state.global_step)
        if len(steps) == 8:
            raise KeyboardInterrupt
        on_step_end(watch, args, state, control, **kwargs)

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("a pickle is loaded")

    monkeypatch.setattr(Watch, "on_step_end", dies)
    monkeypatch.setattr(torch, "load", never)
    with pytest.raises(KeyboardInterrupt):
        finetune_site(site, known, tmp_path / "halves", tuning)
    left = {path.name for path in (tmp_path / "halves" / "sentence.part").rglob("*")}
    assert "optimizer.safetensors" in left
    assert not [name for name in left if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    halves = finetune_site(site, known, tmp_path / "halves", tuning)
    assert steps[8] == 6, "step 5 was saved"
    assert halves.described["figures"] == whole.described["figures"]
    assert [list(check) for check in halves.described["training"]["checks"]] == [
        list(check) for check in whole.described["training"]["checks"]
    ]
    ours, theirs = (load_file(tmp_path / name / "sentence" / "model.safetensors") for name in ("halves", "whole"))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_checkpoint_of_other_options_is_left_alone(
    topics: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted run left is continued by the same run only; more minutes make no other run."""
    site, known = load(topics())
    parts = hold_out(known, np.arange(len(known.sources)))
    work = module._work_folder(tmp_path, site, known, parts, Tuning())
    (work / "checkpoint").mkdir()
    assert (module._work_folder(tmp_path, site, known, parts, Tuning(minutes=99)) / "checkpoint").exists()
    assert not (module._work_folder(tmp_path, site, known, parts, Tuning(epochs=9)) / "checkpoint").exists()


def test_held_out_sources_are_in_no_pair(topics: Callable[..., Workspace]) -> None:
    """Not as a page, a pick, or a negative; and no list is on two sides."""
    site, known = load(topics())
    rows = known.sources.tolist()
    # two sources of each topic pick one another
    mutual = [set(picks) for picks in known.picks]
    for place in range(0, len(rows), SOURCES):
        mutual[place].add(rows[place + 1])
        mutual[place + 1].add(rows[place])
    known = Truth(known.sources, tuple(frozenset(picks) for picks in mutual), {})
    places = np.arange(5, len(rows))
    parts = hold_out(known, places)
    assert parts.enough
    assert sorted(np.concatenate(parts).tolist()) == places.tolist()
    groups = group_sources(known.picks)
    sides = [set(groups[side].tolist()) for side in parts]
    assert len(set.union(*sides)) == sum(map(len, sides))
    mined = mine(site.sentence, known, parts.train, 4000)
    used = {row for triple in mined.triples for row in triple}
    unseen = set(rows) - set(known.sources[parts.train].tolist())
    assert used & set(rows), "training sources are used"
    assert not used & unseen
    picks_of = dict(zip(rows, known.picks, strict=True))
    assert all(pick in picks_of[row] for row, pick, _ in mined.triples)
    assert all(negative not in {row, *picks_of[row]} for row, _, negative in mined.triples)
    assert len(mine(site.sentence, known, parts.train, 7).triples) == 7


def test_a_batch_holds_no_negative_that_was_picked() -> None:
    """Triples that would make one another's pick a negative are kept apart; every epoch has as many batches."""
    from simrec.embed.batches import Batches, Triple

    triples = [Triple(source, 100 + (source + n) % 20, 200 + source) for source in range(20) for n in range(3)]
    related = {source: {100 + (source + n) % 20 for n in range(3)} for source in range(20)}
    sampler = Batches.maker(triples, related)(None, batch_size=6, drop_last=False)
    orders = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 10
        assert all(1 <= len(batch) <= 6 for batch in batches)
        for batch in batches:
            for number in batch:
                others = {text for other in batch if other != number for text in triples[other]}
                assert not others & {*triples[number], *related[triples[number].anchor]}
        assert sum(map(len, batches)) > 50
        orders.append(batches)
    assert orders[0] != orders[1]
    sampler.set_epoch(0)
    assert list(sampler) == orders[0]


def test_few_picks_are_left_alone(topics: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    """Too little to learn from is no error: it is said, and nothing is written."""
    workspace = topics(sources=3)
    assert main(["train", "--finetune", "-w", str(workspace.path)]) == 0
    out = capsys.readouterr().out
    assert out == (
        "36 pages with picks are too few to fine-tune on, 50 are needed: the sentence model stays as it is\n"
    )
    assert not (workspace.path / "models").exists()


def test_one_list_on_all_pages_is_nothing_to_measure_on(topics: Callable[..., Workspace], tmp_path: Path) -> None:
    """Copies of one list cannot be held out."""
    site, known = load(topics())
    known = Truth(known.sources, tuple(known.picks[0] for _ in known.picks), {})
    found = finetune_site(site, known, tmp_path / "out")
    assert not found.kept
    assert "copies of few lists" in found.why


def test_a_missing_extra_is_named(
    topics: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to install, and the exit code is 1."""
    workspace = topics()
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "datasets" else object())
    assert main(["train", "--finetune", "-w", str(workspace.path)]) == 1
    assert capsys.readouterr().err == "simrec: fine-tuning needs datasets: pip install 'simrec[finetune]'\n"


@pytest.mark.parametrize("option", [("--epochs", "0"), ("--minutes", "-1")])
def test_bounds_below_zero_are_bad_usage(
    option: tuple[str, str], topics: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the option's name."""
    workspace = topics(sources=3)
    assert main(["train", "--finetune", "-w", str(workspace.path), *option]) == 2
    assert f"{option[0]} must be more than 0" in capsys.readouterr().err


def test_a_damaged_description_is_an_error(topics: Callable[..., Workspace], tiny: Path, tmp_path: Path) -> None:
    """It says which file, and what to do."""
    from simrec.pipeline.finetuned import read_described, warn_of_leak

    assert read_described("default") == {}
    assert warn_of_leak(str(tiny), {"a"}) == []
    (tmp_path / "finetune.json").write_text('{"base": "default"}', encoding="utf-8")
    with pytest.raises(ModelError, match="train --finetune"):
        read_described(str(tmp_path))
