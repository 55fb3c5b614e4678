"""Every op: functions on arrays with a gradient rule per argument, and the composites made of them.

They take arrays by position and settings by name, run on raw arrays and on Tensors alike, and may be called from a
gradient rule. `minitensor` re-exports them under NumPy's signatures.
"""
