"""Projects of users, whose tests are run as theirs are: by a pytest of their own."""

from __future__ import annotations

import pytest

# What a run inside of this process loads is taken away with it, and would be there twice.
from audit_async.testing import must_audit as must_audit


@pytest.fixture
def project(no_settings: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project, with this plugin and without what else is here, which takes its time to load."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p audit_async")
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester
