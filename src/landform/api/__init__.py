"""The machine-readable surfaces: one package per dialect, and the engine they share."""
