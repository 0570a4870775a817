"""A wheel whose metadata name another project than its file does."""

from __future__ import annotations

import pytest

from tests.plugins.devpi.apps import DevpiApp, wheel_name
from tests.wheelhouse import wheel_bytes

pytestmark = pytest.mark.notransaction

WHEEL = wheel_name("acme-core", "1.0")


@pytest.mark.parametrize("stated", ["evil", "acme-secret"])
def test_a_restriction_asks_for_the_name_of_the_file(devpi: DevpiApp, stated: str) -> None:
    app = devpi
    app.index("acme/prod", bases=[])
    data = wheel_bytes("acme-core", "1.0", overrides={"Name": stated})
    path = app.upload_file("acme/prod", "acme-core", "1.0", WHEEL, data)
    by_file = app.token("acme/prod", name="file", query="name:^acme-core$")
    by_metadata = app.token("acme/prod", name="metadata", query=f"name:^{stated}$")
    by_licence = app.token("acme/prod", name="licence", query="license:MIT")

    answers = {
        query: [
            app.get(f"/acme/prod/+simple/{name}/", secret).status_code
            for name in ("acme-core", stated)
        ]
        for query, secret in (("file", by_file), ("metadata", by_metadata), ("l", by_licence))
    }

    assert answers == {"file": [200, 404], "metadata": [404, 404], "l": [404, 404]}
    assert app.get(path, by_file).status_code == 200
    assert app.get(path, by_metadata).status_code == 404
    assert app.get(path, by_licence).status_code == 404
