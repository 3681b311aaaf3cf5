"""Which backend runs a sentence model, so that one site never mixes vectors of two.

All texts of one call are embedded by one backend. "auto" chooses, in this order:

1. torch, where its cache holds all of the texts;
2. OpenVINO, where the model has been converted in this cache, and fewer of the texts lack a vector by it; where both
   lack as many, as of a single new text, whichever has more vectors in this cache;
3. OpenVINO, where there is no GPU, and so much to embed that converting the model pays off (`WORTH`);
4. torch.

So a site stays with what embedded it, until most of it is new.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import VectorCache
from simrec.embed.quantized import SAMPLES, Quantized, is_installed
from simrec.errors import ModelError

logger = logging.getLogger(__name__)

WORTH = 2_000_000
"""Characters to embed from which converting a model, half a minute, is less than what it saves: measured."""

NOTHING = -1
"""The length of a text without any word; less for spaces."""

_failed: set[Path] = set()
"""Where a conversion failed in this process: it is not tried again for every part of a site."""

Make = Callable[[Quantized, Sequence[str]], None]


class Backend:
    """Chooses between torch and OpenVINO.

    Args:
        wanted: "auto" or "openvino".
        device: that torch would use.
        cache: folder of the cache; without one it is always torch.
        checksum: names the sentence model's files.
    """

    def __init__(self, wanted: str, device: str, cache: Path | None, checksum: str) -> None:
        self._wanted = wanted
        self._device = device
        self._cache = cache
        self._checksum = checksum

    def choose(
        self,
        own: VectorCache,
        texts: Sequence[str],
        keys: Sequence[str],
        name: Callable[[Quantized], str],
        make: Make,
    ) -> Quantized | None:
        """The converted model that embeds some texts; None for torch.

        Args:
            own: torch's cache.
            texts: all texts of the call.
            keys: theirs in a cache.
            name: the fingerprint of a converted model's vectors.
            make: converts the model, calibrated on some texts.
        """
        quantized = self.possible()
        if quantized is None:
            return None
        missing = own.missing(keys)
        there = quantized.is_there
        if there and (self.forced or self._has_more(quantized, own, keys, missing, name)):
            return quantized
        if not self.is_worth(sum(len(texts[place]) for place in missing)):
            return None
        places = [] if there else calibrating(lengths_of(texts))
        return quantized if there or self.made(quantized, [texts[place] for place in places], make) else None

    @property
    def forced(self) -> bool:
        """Whether OpenVINO is asked for by name."""
        return self._wanted == "openvino"

    def is_worth(self, characters: int, gpu: bool = False) -> bool:
        """Whether OpenVINO embeds so many characters, where neither has more of the site's vectors.

        Args:
            characters: of texts that lack a vector.
            gpu: whether a machine has one, that this process need not see.
        """
        return self.forced or (characters >= WORTH and not (gpu or _has_gpu(self._device)))

    def possible(self) -> Quantized | None:
        """The converted model in the cache, be it made or not; None where there can be none."""
        forced = self.forced
        if self._cache is None or not is_installed() or (self._device not in ("", "cpu") and not forced):
            if forced:
                why = "the extra is not installed" if self._cache else "it needs a folder for its cache"
                logger.warning("OpenVINO cannot run the sentence model, torch does: %s", why)
            return None
        quantized = Quantized.of(self._cache, self._checksum)
        return None if quantized.folder in _failed else quantized

    def _has_more(
        self,
        quantized: Quantized,
        own: VectorCache,
        keys: Sequence[str],
        missing: Sequence[int],
        name: Callable[[Quantized], str],
    ) -> bool:
        other = VectorCache(self._cache, name(quantized))
        return (len(other.missing(keys)), -len(other)) < (len(missing), -len(own))

    def made(self, quantized: Quantized, sample: Sequence[str], make: Make) -> bool:
        """Converts the model, calibrated on some texts; False, and a warning, where it cannot be done."""
        try:
            make(quantized, sample or ["a"])
        except ModelError as error:
            logger.warning("OpenVINO cannot run the sentence model, torch does: %s", error)
            _failed.add(quantized.folder)
            return False
        return True


def lengths_of(texts: Sequence[str]) -> NDArray[np.int32]:
    """(n,) characters of each text; `NOTHING`, or less, for one without any word."""
    return np.array([len(text) if text.strip() else NOTHING - len(text) for text in texts], dtype=np.int32)


def calibrating(lengths: NDArray[np.int32]) -> list[int]:
    """The places of texts that calibrate a converted model: the longer half of all, evenly.

    Args:
        lengths: (n,) what `lengths_of` gives.
    """
    known = np.flatnonzero(lengths > NOTHING)
    known = known[np.argsort(lengths[known], kind="stable")]
    longer = known[len(known) // 2 :]
    found: list[int] = longer[:: max(-(-len(longer) // SAMPLES), 1)].tolist()
    return found


def _has_gpu(device: str) -> bool:
    if device == "cpu":
        return False
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())
