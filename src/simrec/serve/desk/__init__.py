"""The editors' desk: pages that a server makes, which work without script."""

from simrec.serve.desk.app import mount

__all__ = ["mount"]
