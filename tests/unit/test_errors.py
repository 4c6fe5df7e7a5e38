from __future__ import annotations

from pageturner import errors


def test_the_tree_in_the_docstring_has_every_class() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PageturnerError)]
    assert len(classes) == 23
    for found in classes:
        assert f" {found.__name__} " in (errors.__doc__ or "") or found is errors.PageturnerError
