"""The sentence model distilled on a site's words, with the memory given back that this takes."""

from __future__ import annotations

from collections.abc import Sequence

from simrec.embed.static import OF_MODELS, StaticEmbedder
from simrec.types import Progress, Text

APART = 5000
"""Articles from which it is done in a process of its own."""


def distill(embedder: StaticEmbedder, texts: Sequence[Text], progress: Progress) -> StaticEmbedder:
    """Fits an embedder on texts: in a process of its own where it has a cache and there are many.

    The teacher takes more than a gigabyte, which a process gives back only when it ends.

    Raises:
        ModelError: the teacher cannot be loaded, or cannot be distilled.
    """
    if embedder.cache is None or len(texts) <= APART:
        return embedder.fit(texts, progress=progress)
    from joblib import Parallel, cpu_count, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor

    threads = parallel_config("loky", inner_max_num_threads=cpu_count())
    with progress("distill the sentence model", 1) as bar, threads:
        (key,) = Parallel(n_jobs=2)([delayed(_fit)(embedder, texts)])
        get_reusable_executor().shutdown(wait=True)
        bar.update(1)
    return embedder.load(embedder.cache / f"{OF_MODELS}{key}")


def _fit(embedder: StaticEmbedder, texts: Sequence[Text]) -> str:
    return embedder.fit(texts).model_.key
