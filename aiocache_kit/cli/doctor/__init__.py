"""The check-up of a cache: what is configured, and what the servers and directories say, against what works well.

findings                                what was found, how bad it is, and what to do
of_config, of_server, of_directory      rules about a configuration, a server, a directory
of_group                                rules about clusters and sentinels
rights                                  which commands the user may run under the prefix, found out by running them
checkup                                 all of it, in order

Rule 1: rules are plain `def` over facts; asking for facts is apart from judging them.
Rule 2: each finding is one sentence, and what is not good comes with what to do.
Rule 3: nothing of the program's is changed. What is written lies under names of doctor's own, and is removed again.
"""

from aiocache_kit.cli.doctor.checkup import examine
from aiocache_kit.cli.doctor.findings import Finding, Severity

__all__ = ["Finding", "Severity", "examine"]
