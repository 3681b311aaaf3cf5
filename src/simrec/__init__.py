"""simrec: "Similar articles" blocks that are generated, ranked and evaluated against editors' picks.

The public names, loaded when they are first used:

    Workspace, ingest, build, similar, render             a site, from its pages to its blocks
    Pipeline                                              one article at a time, in a warm process
    evaluate, tune                                        how good they are, and better settings
    Article, Pick, Block, BlockItem, Corpus, Text         the nouns
    Recommender                                           all of it as one estimator, in a notebook
    TfidfEmbedder, SentenceEmbedder, StaticEmbedder       texts to vectors, as scikit-learn transformers
    Site, Task, evaluate_corpus, tune_corpus              rankings, their evaluation and their settings
    Settings, load_settings, SimrecError                  settings and errors
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "Article": "simrec.types",
    "Block": "simrec.types",
    "BlockItem": "simrec.types",
    "Corpus": "simrec.types",
    "Pick": "simrec.types",
    "Pipeline": "simrec.pipeline.publish",
    "Recommender": "simrec.pipeline.recommender",
    "SentenceEmbedder": "simrec.embed.sentence",
    "StaticEmbedder": "simrec.embed.static",
    "Settings": "simrec.settings",
    "SimrecError": "simrec.errors",
    "Site": "simrec.pipeline.site",
    "Task": "simrec.pipeline.evaluate",
    "Text": "simrec.types",
    "TfidfEmbedder": "simrec.embed.tfidf",
    "Workspace": "simrec.pipeline.workspace",
    "build": "simrec.pipeline.build",
    "evaluate": "simrec.pipeline.evaluate",
    "evaluate_corpus": "simrec.pipeline.evaluate",
    "ingest": "simrec.pipeline.ingest",
    "load_settings": "simrec.settings",
    "render": "simrec.pipeline.render",
    "similar": "simrec.pipeline.show",
    "tune": "simrec.pipeline.tuned",
    "tune_corpus": "simrec.pipeline.tune",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list all the same, made of the table above


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'simrec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
