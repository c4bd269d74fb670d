"""Jobs of this package, registered by name."""
