"""What Landform costs, as ratios to the bare engine in the same run."""
