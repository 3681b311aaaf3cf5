"""Signatures of webhooks: HMAC with SHA-256, looked at before anything of the body is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

WINDOW = 300.0
"""Seconds by which the moment in a signature may be off: what is sent again later is refused."""
WORDPRESS = ("x-hub-signature-256", "x-wp-webhook-signature", "x-wc-webhook-signature")
"""Headers that signatures of WordPress come in: of simrec's own snippet, of the plugins WP Webhooks and WooCommerce."""
GHOST = "x-ghost-signature"
_GHOST = re.compile(r"sha256=([0-9a-f]{64})\s*,\s*t=([0-9]{1,15})")
_HEX = re.compile(r"(?:sha256=)?([0-9a-fA-F]{64})")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{43}=")


def wordpress_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether a body has a good signature: hexadecimal, with or without `sha256=` before it, or base64."""
    sent = next((headers[name] for name in WORDPRESS if name in headers), "").strip()
    return hmac.compare_digest(_digest(secret, body), _bytes(sent))


def ghost_signed(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    """Whether Ghost signed a body, a short while ago: `sha256=<hex>, t=<ms>`, over the body and the moment."""
    found = _GHOST.fullmatch(headers.get(GHOST, "").strip())
    sent, moment = (bytes.fromhex(found[1]), found[2]) if found else (b"", "0")
    good = hmac.compare_digest(_digest(secret, body + moment.encode()), sent)
    return good and abs(now.timestamp() - int(moment) / 1000) <= WINDOW


def _digest(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def _bytes(sent: str) -> bytes:
    """The bytes of a signature; none where it has no form that is known."""
    found = _HEX.fullmatch(sent)
    if found:
        return bytes.fromhex(found[1])
    try:
        return base64.b64decode(sent, validate=True) if _BASE64.fullmatch(sent) else b""
    except (ValueError, binascii.Error):
        return b""
