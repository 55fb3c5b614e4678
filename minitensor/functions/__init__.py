"""The ops under NumPy's names and signatures: `mt.sum(x, axis=0)`, `mt.concatenate([a, b])`, `mt.einsum("ij->i", a)`.

Each takes Tensors, arrays, lists or numbers and returns Tensors.
"""
