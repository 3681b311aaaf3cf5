"""The OpenAPI says what the service does: hundreds of requests made of it, good and bad, get no fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from simrec.serve import editing, publishing, switching, webhooks
from simrec.serve.app import create_app
from simrec.serve.examples import EXAMPLES
from simrec.serve.forms import ARTICLE

from .conftest import Clock

MODULES = (editing, publishing, switching, webhooks)
UNSURE = [ignored_auth, positive_data_acceptance, negative_data_rejection]
"""An article is checked by more than a schema can say; an unknown parameter, or `false` as a word, is no fault."""
METHODS = {"get", "post", "put", "delete", "patch"}


def test_each_route_has_a_summary_examples_and_its_errors(town: Callable[..., Any]) -> None:
    """Words for every operation, an example for every answer, and problems for what can go wrong."""
    app = create_app(town())
    document = app.openapi()
    app.state.service.store.close()
    seen = 0
    for path, operations in document["paths"].items():
        for operation in (value for name, value in operations.items() if name in METHODS):
            seen += 1
            assert operation["summary"], path
            for status, response in operation["responses"].items():
                for media, content in response.get("content", {}).items():
                    if media == "application/problem+json":
                        assert content["example"]["status"] == int(status), (path, status)
                    elif media == "application/json":
                        name = content["schema"]["$ref"].rpartition("/")[2]
                        assert document["components"]["schemas"][name]["examples"], name
    assert seen >= 8


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_are_what_their_models_hold(name: str) -> None:
    """An example has all that its answer has, and nothing else."""
    (model,) = [found for module in MODULES if (found := getattr(module, name, None))]
    assert model.model_validate(EXAMPLES[name]).model_dump(mode="json") == EXAMPLES[name]


@pytest.mark.parametrize("reads", ["open", "keyed"])
def test_requests_made_of_the_schema_get_what_it_says(town: Callable[..., Any], clock: Clock, reads: str) -> None:
    """No 5xx; each answer has a status, a media type and a body as the document says."""
    app: FastAPI = create_app(town(f'reads = "{reads}"\nrate = 1000000'), clock=clock)
    service = app.state.service
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    operations = [result.ok() for result in schema.get_all_operations()]
    service.start()
    service.writer.call(
        "similar", {"article": ARTICLE | {"id": "warm"}}
    )  # all is imported and compiled when it answers
    key = service.store.create_key("Fuzz", ["admin"]).secret
    service.keyring.refresh()
    statuses: Counter[int] = Counter()
    with get_client(app) as session:
        for operation in operations:
            attempt(operation, session, {"authorization": f"Bearer {key}"}, statuses)
    service.stop()
    assert statuses.total() > 150
    assert statuses[200] > 20
    assert statuses[422] > 20
    assert statuses[401] > 10 or reads == "open"


def attempt(operation: APIOperation, session: Any, key: dict[str, str], statuses: Counter[int]) -> None:
    """Asks for an operation many times, with and without a key."""
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, keyed=st.booleans())
    def ask(case: Case, keyed: bool) -> None:
        response = case.call(session=session, headers=key if keyed else {}, base_url="http://localhost")
        statuses[response.status_code] += 1
        if keyed or response.status_code != 401:
            case.validate_response(response, excluded_checks=UNSURE)

    ask()
