"""What a server is told of an application that cannot be opened."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from entitlements_core.engine.loading_errors import APP_LOAD_ERROR, end_process, told_in_words
from entitlements_core.errors import EntitlementsError, InvalidValue, NotFound


@pytest.mark.parametrize(
    "error", [NotFound("There is none.", "Add it."), InvalidValue("name", "It is odd.", "Mend it.")]
)
def test_an_error_of_ours_is_one_of_gunicorn_too(error: EntitlementsError) -> None:
    kind, text, code = type(error), str(error), error.code
    import_module("gunicorn.errors")
    with pytest.raises(kind) as caught, told_in_words():
        raise error
    assert caught.value is error
    assert isinstance(error, import_module("gunicorn.errors").AppImportError)
    assert isinstance(caught.value, RuntimeError)
    assert (type(error).__name__, str(error), kind.code) == (kind.__name__, text, code)


def test_elsewhere_it_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gunicorn.errors", raising=False)
    with pytest.raises(NotFound) as caught, told_in_words():
        raise NotFound("There is none.")
    assert type(caught.value) is NotFound


def test_a_defect_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError) as caught, told_in_words():
        _ = 1 / 0
    assert type(caught.value) is ZeroDivisionError


@pytest.mark.parametrize("serves", [True, False])
def test_a_process_is_ended_with_what_is_wrong(
    serves: bool,  # noqa: FBT001 - a column
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arbiter = import_module("gunicorn.arbiter")
    if not serves:
        monkeypatch.delitem(sys.modules, "gunicorn.arbiter")
    with pytest.raises(SystemExit, match=r"^Error: It is odd\. Mend it\.$") as ended:
        end_process(InvalidValue("name", "It is odd.", "Mend it."))
    if serves:
        assert ended.value.code == APP_LOAD_ERROR == arbiter.Arbiter.APP_LOAD_ERROR
        assert capsys.readouterr().err == "Error: It is odd. Mend it.\n"
    else:  # Python prints it, and ends with 1
        assert ended.value.code == "Error: It is odd. Mend it."
        assert not capsys.readouterr().err
