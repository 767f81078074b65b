"""The generated hardware in simulators: in-process, under cocotb, and the benches."""
