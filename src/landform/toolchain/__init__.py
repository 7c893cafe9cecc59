"""Which versions of terraform and tofu there are, and how to get one."""
