"""Proofs of the promises: audit, chaos, power cuts, model, mutants and golden archives."""
