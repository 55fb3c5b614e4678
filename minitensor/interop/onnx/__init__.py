"""ONNX export: a model in evaluation mode, traced on example inputs, for other runtimes.

The trace sees every op on Tensors. It cannot see what Python decides, so the model runs several times: on other values
and on other sizes of the batch. Where the traces part, a value of the example was decisive, and that is refused.
"""

from minitensor.interop.onnx.exporting import OPSET, export

__all__ = ["OPSET", "export"]
