"""The hardware: an Amaranth description of the block, made from a configuration."""
