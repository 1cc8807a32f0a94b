"""Lists the checks of the contracts that nothing with a mistake fails: what nobody has seen to find anything.

    python -m tests.contract.untripped

Rule: a check that hangs, or ends by an error of another kind, has found something as well.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aiocache_kit.testing import ProviderContract, StorageContract
from tests.contract import broken
from tests.contract.test_contracts_find_faults import FAULTS

if TYPE_CHECKING:
    from aiocache_kit.storage.base import Storage


def contracts() -> Iterator[StorageContract | ProviderContract]:
    """Give each contract over each mistake."""
    storages: list[type[Storage]] = [*FAULTS, broken.LetsAllLoad, broken.BoundedByOneMore]
    for storage in storages:
        yield broken.checked_storage(storage)
    for storage in FAULTS:
        yield broken.checked(storage)
    for made in broken.STORAGES:
        yield broken.checked(made)
    for wrapped in broken.PROVIDERS:
        yield broken.checked(wrapped=wrapped)


def failed(contract: StorageContract | ProviderContract, names: Iterable[str]) -> Iterator[str]:
    """Give the checks that a contract does not pass."""
    for name in names:
        try:
            getattr(contract, name)()
        except Exception:  # noqa: BLE001  - whatever it is, it was noticed
            yield name


def checks(contract: type) -> set[str]:
    """Give the names of the checks of a contract."""
    return {name for name in dir(contract) if name.startswith("test_")}


def main() -> None:
    """Print the list of each contract."""
    logging.disable()
    left = {kind: checks(kind) for kind in (StorageContract, ProviderContract)}
    for contract in contracts():
        kind = StorageContract if isinstance(contract, StorageContract) else ProviderContract
        left[kind] -= set(failed(contract, sorted(left[kind])))
    for kind, names in left.items():
        sys.stdout.write(f"{kind.__name__}: {len(names)} of {len(checks(kind))} found nothing\n")
        sys.stdout.writelines(f"  {name}\n" for name in sorted(names))


if __name__ == "__main__":
    main()
