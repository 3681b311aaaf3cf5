"""A bare FastAPI route that returns constant bytes, what simrec's route is compared with: `bare.py PORT BYTES`."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Response


def make(size: int) -> FastAPI:
    """The application."""
    app = FastAPI()
    body = b"x" * size

    @app.get("/constant/{id}")
    async def constant(id: str) -> Response:
        return Response(body, media_type="application/json")

    return app


if __name__ == "__main__":
    port, size = map(int, sys.argv[1:])
    uvicorn.run(
        make(size), port=port, http="httptools", loop="uvloop", access_log=False, log_config=None, server_header=False
    )
