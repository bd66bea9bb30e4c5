"""Each rule of the design that a killed process can show, taken out: the audit must then find the harm.

A rule whose loss no run shows is no rule, or has no test. Run all of it: `python -m testing.proof.mutants`.
"""
