import copy
import pickle

import pytest

from aiocache_kit.errors import CacheError, ProviderClosedError, RecursiveLoadError


@pytest.mark.parametrize("error", [ProviderClosedError(), RecursiveLoadError()], ids=repr)
def test_errors_without_arguments_travel(error: CacheError) -> None:
    """An error that takes no argument survives pickle and copy, as between processes, with its sentence."""
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  - our own bytes
        assert type(copied) is type(error)
        assert str(copied) == str(error)
