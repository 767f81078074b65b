"""Mutation: small faults in the generated hardware, and whether tests and proofs notice them."""
