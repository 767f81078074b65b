"""The promises of ``docs/assurance.md`` under formal proof, on the real components."""
