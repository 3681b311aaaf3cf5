"""A sentence model in 8-bit integers, run by OpenVINO on a CPU.

The model's own modules, pooling too, are traced to an OpenVINO graph and quantized by NNCF's post-training
quantization, calibrated on passages of the site. What was made is kept in the cache, and is part of its vectors'
fingerprint.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import MANIFEST, is_intact, write_folder
from simrec.errors import ModelError
from simrec.text import content_hash
from simrec.types import Dense

FORMAT = 1
"""Raise it when the same model is converted to another one."""
READ = 1
"""Raise it when the same converted model gives a passage another vector."""
SAMPLES = 300
"""Passages that calibrate the integers' ranges."""
BATCH = 8
"""Passages a request, all of one length: measured, see docs/adr/0009."""
KERNELS = 200
"""Kernels that are kept for shapes that may come again: requests come by length, and 5,000, as OpenVINO has it, take
gigabytes on a site of many lengths; the rows are the same, at the same speed."""
LEAST_COSINE = 0.97
"""Mean likeness to the original's vectors under which the integers are not used."""
CHECKED = 32
"""Passages that this is measured on."""
GRAPH = "model.xml"

Inputs = dict[str, NDArray[np.int64]]


def is_installed() -> bool:
    """Whether the extra `openvino` is there."""
    return all(find_spec(name) is not None for name in ("openvino", "nncf"))


class Quantized:
    """A converted model in a folder.

    Args:
        folder: where it is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._compiled: Any = None

    @classmethod
    def of(cls, cache: Path, checksum: str) -> Quantized:
        """The one that a cache keeps of a model: made once, so that all of a site's vectors are made by the same.

        Args:
            cache: folder of the cache.
            checksum: names the sentence model's files.
        """
        return cls(cache / f"openvino-{content_hash(str(FORMAT), checksum)[:16]}")

    @property
    def is_there(self) -> bool:
        """Whether it has been made, and is as it was written."""
        return is_intact(self.folder)

    @property
    def key(self) -> str:
        """Names its files: the same model, calibrated on other passages, gives other vectors."""
        return content_hash((self.folder / MANIFEST).read_text(encoding="utf-8"))[:16]

    def make(self, model: Any, passages: Sequence[str]) -> None:
        """Converts, quantizes and checks a sentence-transformers model.

        Args:
            model: on the CPU.
            passages: of the site; the first `SAMPLES` of them calibrate it.

        Raises:
            ModelError: it is not installed, the model cannot be converted, or its vectors become others.
        """
        if not is_installed():
            raise ModelError("OpenVINO is not installed: `pip install simrec[openvino]`")
        if getattr(model, "default_prompt_name", None) or getattr(model, "truncate_dim", None):
            raise ModelError("a model with a prompt or a cut dimension cannot be converted")
        sample = list(passages[:SAMPLES])

        def write(part: Path) -> None:
            graph = _quantize(_convert(model, sample), [_inputs(model, [text]) for text in sample])
            openvino.save_model(graph, part / GRAPH, compress_to_fp16=False)
            _check(Quantized(part), model, sample[:CHECKED])

        try:
            with _quiet():
                import openvino

                write_folder(self.folder, write)
        except ModelError:
            raise
        except Exception as error:  # OpenVINO, NNCF and torch's tracer raise what they like
            raise ModelError(f"it cannot be converted: {error!r}".split("\n")[0][:300]) from error

    def encode(self, model: Any, passages: Sequence[str]) -> Dense:
        """(n, d) float32 unit rows of passages that are no longer than the model reads.

        Only passages of as many tokens share a request: none is filled up, so that its row does not depend on those
        beside it, to the last bit. Filled up, a sum takes another order, and what is then rounded to 8 bits differs.

        Args:
            model: the original, for its tokenizer.
            passages: n texts.
        """
        import openvino

        if self._compiled is None:
            plan: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
            plan["CPU_RUNTIME_CACHE_CAPACITY"] = KERNELS
            if os.environ.get("OMP_NUM_THREADS", "").isdecimal():  # OpenVINO's threads are not OpenMP's
                plan["INFERENCE_NUM_THREADS"] = int(os.environ["OMP_NUM_THREADS"])
                plan["ENABLE_CPU_PINNING"] = False  # all processes would take the same cores
            core = openvino.Core()
            self._compiled = core.compile_model(core.read_model(self.folder / GRAPH), "CPU", plan)
        vectors = np.zeros((len(passages), self._compiled.output(0).partial_shape[1].get_length()), dtype=np.float32)
        # not AsyncInferQueue: its callbacks take Python's lock, and what is deleted just then waits for ever
        often = 2 * self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        requests = [self._compiled.create_infer_request() for _ in range(often)]
        read = [_inputs(model, [passage]) for passage in passages]
        under_way: dict[int, list[int]] = {}
        for number, places in enumerate(_alike(read)):
            turn = number % often
            _collect(requests[turn], under_way.pop(turn, []), vectors)
            under_way[turn] = places
            requests[turn].start_async({name: np.concatenate([read[p][name] for p in places]) for name in read[0]})
        for turn, places in under_way.items():
            _collect(requests[turn], places, vectors)
        return vectors


def _alike(read: Sequence[Inputs]) -> Iterator[list[int]]:
    """The places of passages of one length in tokens, the longest first, up to `BATCH` at a time."""
    of_length: dict[int, list[int]] = {}
    for place, inputs in enumerate(read):
        of_length.setdefault(next(iter(inputs.values())).shape[1], []).append(place)
    for length in sorted(of_length, reverse=True):
        places = of_length[length]
        yield from (places[start : start + BATCH] for start in range(0, len(places), BATCH))


def _collect(request: Any, places: list[int], vectors: Dense) -> None:
    """Waits for a request, and puts what it gives into its places."""
    if places:
        request.wait()
        vectors[places] = request.get_output_tensor(0).data


def _inputs(model: Any, texts: list[str]) -> Inputs:
    """What the model reads of some texts, filled up to the longest."""
    return {name: found.numpy() for name, found in model.preprocess(texts).items() if hasattr(found, "numpy")}


def _convert(model: Any, sample: list[str]) -> Any:
    """The graph of a model and of its pooling, of any batch and length; its rows are of norm 1."""
    import openvino
    import torch

    inputs = {name: torch.from_numpy(values) for name, values in _inputs(model, sample[:2]).items()}
    names = tuple(inputs)

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            found = self.model(dict(zip(names, values, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(found, p=2, dim=1)

    with torch.no_grad():
        graph = openvino.convert_model(Whole().eval(), example_input=tuple(inputs.values()))
    for place, name in enumerate(names):
        graph.input(place).get_tensor().set_names({name})
    return graph


def _quantize(graph: Any, sample: list[Inputs]) -> Any:
    import nncf

    return nncf.quantize(
        graph, nncf.Dataset(sample), model_type=nncf.ModelType.TRANSFORMER, subset_size=max(len(sample), 1)
    )


def _check(made: Quantized, model: Any, passages: list[str]) -> None:
    expected = model.encode(passages, normalize_embeddings=True, show_progress_bar=False)
    likeness = float(np.mean(np.sum(made.encode(model, passages) * expected, axis=1)))
    if not likeness >= LEAST_COSINE:
        raise ModelError(f"in 8 bits its vectors have a mean cosine of only {likeness:.3f} with the original's")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what the converters print to themselves."""
    loggers = [logging.getLogger(name) for name in ("nncf", "openvino", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
