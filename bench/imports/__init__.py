"""How long it takes to import a library, beyond asyncio."""
