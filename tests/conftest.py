"""What all tests share: no network, and no settings from the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

WORDS = "the a bridge over river is closed open again says mayor potatoes rot in wet fields say farmers breed on ice"


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
