"""How long the event loop stands still while a million entries are filled in, expire, are cleared or invalidated."""
