"""Matrix products, decompositions, solvers, norms and distances."""
