"""aiocache_kit: one await-able interface over many caches, for FastAPI, aiohttp and any asyncio program.

How the package is laid out, from the top down; a module imports only from those below it:

    testing                     fakes and contracts for people who write storages
    decorators                  a call becomes a key
    config, factory             what is wanted, and building it
    provider                    what users await
    storage                     where items are kept
    management, serializers     policies; objects to bytes
    item, stats, keys, events   values
    clock, errors, sentinels    the ground
"""
