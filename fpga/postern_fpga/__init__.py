"""Synthesis, area and clock on FPGAs."""
