"""Up to 6.2 Redis puts its own words before the error of a command in a script: the code behind them was lost.

A full server failed loads, a demoted one changes that can be sent again, and a foreign list was an error without words.
"""

import pytest
from hiredis import ReplyError

from aiocache_kit import CacheError, StorageError, StorageUnavailableError, WrongTypeError
from aiocache_kit.storage.redis.replies import LATER, code_of, refusal

OLD = "ERR Error running script (call to f_ee9e8299a0b111c9d78e4cc2ff2dfd1aa1f47057): @user_script:29: "
NEW = " script: ee9e8299a0b111c9d78e4cc2ff2dfd1aa1f47057, on @user_script:29."
FULL = "OOM command not allowed when used memory > 'maxmemory'."
REPLICA = "READONLY You can't write against a read only replica."
FOREIGN = "WRONGTYPE Operation against a key holding the wrong kind of value"
NUMBER = "ERR value is not an integer or out of range"


@pytest.mark.parametrize(
    ("said", "code", "error"),
    [
        (FULL, "OOM", StorageError),
        (f"{OLD}@user_script: 29: -{FULL}", "OOM", StorageError),
        (f"{FULL}{NEW}", "OOM", StorageError),
        (f"{OLD}@user_script: 29: -{REPLICA}", "READONLY", StorageUnavailableError),
        (f"@user_script: 29: -{REPLICA}", "READONLY", StorageUnavailableError),
        (f"{REPLICA}{NEW}", "READONLY", StorageUnavailableError),
        (f"{OLD}{FOREIGN}", "WRONGTYPE", WrongTypeError),
        (f"{FOREIGN}{NEW}", "WRONGTYPE", WrongTypeError),
        (f"{OLD}{NUMBER}", "ERR", StorageError),
        (f"{NUMBER}{NEW}", "ERR", StorageError),
        (f"{OLD}@user_script: 29: Unknown Redis command called from Lua script", "ERR", StorageError),
        (f"ERR nothing runs at @user_script: 29: -{FULL}", "ERR", StorageError),
    ],
)
def test_the_code_is_that_of_the_command(said: str, code: str, error: type[CacheError]) -> None:
    """What a script stumbled over has the code, and the advice, that it has outside of one."""
    for text in (said, said.removeprefix("ERR ")):  # as redis-py gives it
        assert code_of(ReplyError(text)) == code
        assert type(refusal(ReplyError(text))) is error
    assert (code in LATER) is (error is StorageUnavailableError)
