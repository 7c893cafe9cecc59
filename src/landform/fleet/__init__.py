"""The platform's processes: which live, which keys they hold, how they keep runs apart."""
