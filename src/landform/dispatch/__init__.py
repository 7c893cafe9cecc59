"""Phases handed to workers: Procrastinate rings the bell, the fence here decides who may act."""
