"""What every surface that speaks HTTP shares."""
