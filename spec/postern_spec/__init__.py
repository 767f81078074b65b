"""What hardware and software agree on: configuration, register map and wire constants.

Standard library only, so that the driver and the RTL generator can both depend on it.
"""
