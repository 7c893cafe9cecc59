"""What git fetches: a commit as a configuration, and the paths two commits differ in."""
