"""Where items are kept, one storage a file; all of them are a `base.Storage`."""
